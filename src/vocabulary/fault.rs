//! What a peer may be told: one row a fault, with HL7 code, HTTP status and what helps.

use serde::{Deserialize, Serialize};

/// Everything that can go wrong where a peer can see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Fault {
    /// The rows of a batch are still being checked.
    BatchChecking,
    /// The department has as many batches as it may have at once.
    BatchLimit,
    /// The department has no batch of this id.
    BatchUnknown,
    /// The department has asked about as many persons for this purpose as it may in a day.
    BudgetExhausted,
    /// The card's number is another person's.
    CardConflict,
    /// The card was reported lost, suspended, cancelled or replaced.
    CardState,
    /// The certificate belongs to no department and no sender.
    CertificateUnknown,
    /// The character set is not supported, or the bytes are not in it.
    CharacterSet,
    /// A value is not of its data type.
    DataType,
    /// The ledger has no such entry, or nothing of this name.
    EntryUnknown,
    /// An identifier fails its own check.
    IdentifierInvalid,
    /// A description fits nobody for sure, or more than one; which, is not told.
    IdentityAmbiguous,
    /// Identifiers of one message belong to different persons.
    IdentityConflict,
    /// No identifier by which the person could be known.
    IdentityMissing,
    /// Another name and birth date or sex under a number that is somebody's already.
    IdentityOverlay,
    /// The list of indicators has no such indicator.
    IndicatorUnknown,
    /// The gateway itself failed.
    Internal,
    /// A limit of size, depth, count or time.
    Limit,
    /// The message is not well formed.
    Malformed,
    /// Nobody was merged into another under this identifier.
    NotMerged,
    /// Whoever is asked about in a batch is not on a list of the department.
    NotOnList,
    /// The journal has no message of this number.
    NumberUnknown,
    /// More is asked or brought than the gateway can do now.
    Overloaded,
    /// The period is not over.
    PeriodOpen,
    /// The department may not ask for this purpose.
    PurposeNotGranted,
    /// A required field is empty.
    RequiredMissing,
    /// An earlier row of the batch has the same identifier or reference.
    RowDuplicate,
    /// A second person of the department must ask the same before anybody is answered.
    SecondPersonNeeded,
    /// Segments are missing or in the wrong order.
    SegmentSequence,
    /// The department or sender has as much in hand as it may at once.
    ShareExceeded,
    /// The department has no subscription of this name.
    SubscriptionUnknown,
    /// A code is not in its table.
    TableValue,
    /// The call or case is another person's already, or was opened too long ago.
    TicketSpent,
    /// The store or ledger cannot be written now.
    Unavailable,
    /// An element the catalogue does not have.
    UnknownElement,
    /// A purpose that is not in the closed list.
    UnknownPurpose,
    /// The trigger event is not supported.
    UnsupportedEvent,
    /// The media type is not one of those taken here.
    UnsupportedMedia,
    /// The message type is not supported.
    UnsupportedMessage,
    /// A search parameter that the closed list, or the purpose, does not have.
    UnsupportedParameter,
    /// The processing id is not supported.
    UnsupportedProcessing,
    /// The version is not supported.
    UnsupportedVersion,
    /// An upstream system needed for this purpose does not answer.
    UpstreamUnavailable,
    /// Tokens made under a key that the sender's configuration does not name.
    VeilUnknown,
    /// A character XML does not allow.
    XmlCharacter,
    /// A document type declaration: none is read.
    XmlDoctype,
    /// An attribute stands twice in one element.
    XmlDuplicateAttribute,
    /// The bytes are not in the declared character set, nor in any usual one.
    XmlEncoding,
    /// An entity other than the five of XML, or a bare `&`.
    XmlEntity,
    /// XML that is not well formed in another way.
    XmlNotWellFormed,
    /// The XML declaration is damaged or not at the very beginning.
    XmlProlog,
    /// An element is not closed, or another one is.
    XmlUnclosed,
    /// A namespace prefix that nothing declares.
    XmlUndeclaredPrefix,
    /// The value of an attribute without its quotation marks.
    XmlUnquotedAttribute,
}

/// Whether a negative acknowledgement is an error (AE) or a rejection (AR), HL7 table 0008.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nack {
    /// AE or CE.
    Error,
    /// AR or CR.
    Reject,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultRow {
    /// The fault.
    pub fault: Fault,
    /// Stable name in answers, metrics and the console.
    pub name: &'static str,
    /// HL7 table 0357.
    pub hl7_code: u16,
    /// Error or rejection.
    pub nack: Nack,
    /// HTTP status.
    pub http_status: u16,
    /// Whether sending the same again later can help.
    pub retry: bool,
    /// English text.
    pub en: &'static str,
    /// Chinese text.
    pub zh: &'static str,
}

macro_rules! faults {
    ($($fault:ident $name:literal $hl7:literal $nack:ident $http:literal $retry:literal
        $en:literal $zh:literal;)+) => {
        /// Every fault, alphabetical. Rows are added, never renumbered.
        pub static FAULTS: &[FaultRow] = &[$(FaultRow {
            fault: Fault::$fault, name: $name, hl7_code: $hl7, nack: Nack::$nack,
            http_status: $http, retry: $retry, en: $en, zh: $zh,
        }),+];

        impl Fault {
            /// Its row.
            #[must_use]
            pub const fn row(self) -> FaultRow {
                match self {
                    $(Self::$fault => FaultRow {
                        fault: Self::$fault, name: $name, hl7_code: $hl7, nack: Nack::$nack,
                        http_status: $http, retry: $retry, en: $en, zh: $zh,
                    }),+
                }
            }
        }
    };
}

faults! {
    BatchChecking "batch-checking" 207 Error 409 true
        "the rows of this batch are still being checked" "批量名单仍在核对中";
    BatchLimit "batch-limit" 207 Error 429 true
        "this department has as many batches as it may have at once" "该部门同时存在的批量任务已达上限";
    BatchUnknown "batch-unknown" 204 Error 404 false
        "this department has no batch of this id" "该部门没有此编号的批量任务";
    BudgetExhausted "budget-exhausted" 207 Error 429 true
        "this department has asked about as many persons for this purpose as it may in 24 hours"
        "该部门以此用途查询的人数已达 24 小时上限";
    CardConflict "card-conflict" 204 Error 409 false
        "the card number belongs to another person" "卡号属于他人";
    CardState "card-state" 207 Error 409 false
        "the card is lost, suspended, cancelled or replaced" "该卡已挂失、暂停、注销或换发";
    CertificateUnknown "certificate-unknown" 207 Reject 403 false
        "the certificate belongs to no department and no sender" "证书不属于任何部门或发送方";
    CharacterSet "character-set" 102 Reject 415 false
        "the character set is not supported or the bytes are not in it" "字符集不受支持或字节不符合该字符集";
    DataType "data-type" 102 Error 422 false
        "a value is not of its data type" "数据类型错误";
    EntryUnknown "entry-unknown" 204 Error 404 false
        "the ledger has no such entry, or nothing of this name"
        "台账中没有此条目，或没有此名称的内容";
    IdentifierInvalid "identifier-invalid" 102 Error 422 false
        "an identifier fails its own check" "标识符校验失败";
    IdentityAmbiguous "identity-ambiguous" 204 Error 409 false
        "the description fits nobody for sure, or more than one"
        "所述信息不能唯一确定一人（可能查无此人，也可能不止一人）";
    IdentityConflict "identity-conflict" 204 Error 409 false
        "the identifiers belong to different persons" "标识符分属不同人员";
    IdentityMissing "identity-missing" 101 Error 422 false
        "no identifier by which the person could be known" "缺少可识别人员的标识符";
    IdentityOverlay "identity-overlay" 205 Error 409 false
        "another name and birth date or sex under a number that is somebody's already"
        "同一编号下姓名与出生日期或性别同时改变，已挂起待核实";
    IndicatorUnknown "indicator-unknown" 204 Error 404 false
        "the list of indicators has no such indicator" "统计指标清单中没有该指标";
    Internal "internal" 207 Error 500 true
        "the gateway failed; nothing was kept" "网关内部错误，未保存任何内容";
    Limit "limit" 207 Reject 413 false
        "a limit of size, depth, count or time was reached" "超过大小、深度、数量或时间限制";
    Malformed "malformed" 100 Reject 400 false
        "the message is not well formed" "消息格式不正确";
    NotMerged "not-merged" 204 Error 409 false
        "nobody was merged into another under this identifier" "该标识符下没有已合并的人员";
    NotOnList "not-on-list" 207 Reject 403 false
        "nobody on a list of this department has this identifier" "该标识符不在本部门登记的名单上";
    NumberUnknown "number-unknown" 204 Error 404 false
        "the journal has no message of this number" "收件日志中没有该编号的消息";
    Overloaded "overloaded" 207 Error 503 true
        "more is asked than can be done now; nothing was kept or released; send it again later"
        "网关繁忙，未保存也未披露任何内容，请稍后重试";
    PeriodOpen "period-open" 207 Error 409 true
        "the period is not over" "统计期尚未结束";
    PurposeNotGranted "purpose-not-granted" 207 Reject 403 false
        "this department may not ask for this purpose" "该部门无权以此用途查询";
    RequiredMissing "required-missing" 101 Error 422 false
        "a required field is empty" "缺少必填字段";
    RowDuplicate "row-duplicate" 204 Error 409 false
        "an earlier row has the same identifier or reference" "与前面某行的标识符或编号重复";
    SecondPersonNeeded "second-person-needed" 207 Error 409 true
        "a second person of this department must ask the same within the time of the case"
        "须由本部门另一名经办人在案件时限内提出同一查询";
    SegmentSequence "segment-sequence" 100 Error 422 false
        "a segment is missing or out of order" "段缺失或顺序错误";
    ShareExceeded "share-exceeded" 207 Error 429 true
        "this department or sender has too much in hand; nothing was kept or released; try later"
        "该部门或发送方同时进行的请求已达上限，未保存也未披露任何内容，请稍后重试";
    SubscriptionUnknown "subscription-unknown" 204 Error 404 false
        "this department has no subscription of this name" "该部门没有此名称的订阅";
    TableValue "table-value" 103 Error 422 false
        "a code is not in its table" "代码不在值域表中";
    TicketSpent "ticket-spent" 207 Error 409 false
        "this call or case is about somebody else, or was opened too long ago; open another"
        "该通话或案件编号已用于他人或已超过时限，请重新登记";
    Unavailable "unavailable" 207 Error 503 true
        "nothing was kept or released; send it again later" "暂不可用，未保存也未披露任何内容，请稍后重试";
    UnknownElement "unknown-element" 204 Error 400 false
        "the catalogue has no such element" "目录中没有该数据元";
    UnknownPurpose "unknown-purpose" 204 Error 400 false
        "the list of purposes has no such purpose" "用途清单中没有该用途";
    UnsupportedEvent "unsupported-event" 201 Reject 422 false
        "the trigger event is not supported" "不支持该触发事件";
    UnsupportedMedia "unsupported-media" 200 Reject 415 false
        "the media type is not one of those taken here" "不接收该媒体类型";
    UnsupportedMessage "unsupported-message" 200 Reject 422 false
        "the message type is not supported" "不支持该消息类型";
    UnsupportedParameter "unsupported-parameter" 207 Reject 400 false
        "the purpose has no such search parameter" "该用途不支持此检索参数";
    UnsupportedProcessing "unsupported-processing" 202 Reject 422 false
        "the processing id is not supported" "不支持该处理标识";
    UnsupportedVersion "unsupported-version" 203 Reject 422 false
        "the version is not supported" "不支持该版本";
    UpstreamUnavailable "upstream-unavailable" 207 Error 503 true
        "a system needed for this purpose does not answer" "该用途所需的上游系统无应答";
    VeilUnknown "veil-unknown" 207 Error 422 false
        "the tokens are made under a key this gateway was not told of" "令牌所用密钥的指纹未在网关登记";
    XmlCharacter "xml-character" 100 Reject 400 false
        "a character stands there that XML does not allow" "出现 XML 不允许的字符";
    XmlDoctype "xml-doctype" 100 Reject 400 false
        "a DOCTYPE stands there; remove it, none is read" "含 DOCTYPE 声明，请删除";
    XmlDuplicateAttribute "xml-duplicate-attribute" 100 Reject 400 false
        "an attribute stands twice in one element" "同一元素中属性重复";
    XmlEncoding "xml-encoding" 102 Reject 415 false
        "the bytes are not in the declared character set"
        "字节不符合字符集，请检查 XML 声明中的 encoding";
    XmlEntity "xml-entity" 100 Reject 400 false
        "an entity other than the five of XML, or a bare &; write &amp;"
        "使用了未定义的实体或裸 & 符号，应写作 &amp;";
    XmlNotWellFormed "xml-not-well-formed" 100 Reject 400 false
        "the XML is not well formed" "XML 格式不正确";
    XmlProlog "xml-prolog" 100 Reject 400 false
        "the XML declaration is damaged or not at the very beginning" "XML 声明损坏或不在文件开头";
    XmlUnclosed "xml-unclosed" 100 Reject 400 false
        "an element is not closed, or the end tag is of another" "元素未闭合或结束标签不匹配";
    XmlUndeclaredPrefix "xml-undeclared-prefix" 100 Reject 400 false
        "a prefix is used that no xmlns declares" "使用了未声明的命名空间前缀";
    XmlUnquotedAttribute "xml-unquoted-attribute" 100 Reject 400 false
        "the value of an attribute lacks a quotation mark" "属性值缺少引号";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_stable_unique_and_in_order() {
        let names: Vec<_> = FAULTS.iter().map(|row| row.name).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(names, sorted);
        for row in FAULTS {
            assert_eq!(serde_json::to_value(row.fault).ok(), Some(row.name.into()));
        }
    }

    #[test]
    fn what_may_be_sent_again_is_not_rejected() {
        assert!(FAULTS.iter().all(|row| !row.retry || row.nack == Nack::Error));
    }
}
