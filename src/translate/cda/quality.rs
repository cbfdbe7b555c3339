//! 质量提示, what is wrong with a document that could be read all the same.
//!
//! A document that is no XML, or no clinical document, is refused with the fault of its
//! reader. Everything else that real senders get wrong is read as far as it can be, and
//! named: the receiver survives, the validator tells. One table, for the report and the
//! documentation alike.

use crate::vocabulary::Position;

/// One kind of note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remark {
    /// Stable name in reports.
    pub id: &'static str,
    /// What is wrong.
    pub en: &'static str,
    /// 哪里不对.
    pub zh: &'static str,
    /// What the sender should mend.
    pub mend_en: &'static str,
    /// 怎样改正.
    pub mend_zh: &'static str,
}

/// A note about one place; it never says what stood there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What is wrong.
    pub remark: &'static Remark,
    /// Where.
    pub at: Position,
}

macro_rules! remarks {
    ($($name:ident $id:literal $en:literal $zh:literal $mend_en:literal $mend_zh:literal;)+) => {
        $(pub(super) static $name: Remark = Remark {
            id: $id, en: $en, zh: $zh, mend_en: $mend_en, mend_zh: $mend_zh,
        };)+

        /// Every remark, alphabetical.
        pub static REMARKS: &[&Remark] = &[$(&$name),+];
    };
}

remarks! {
    CODE_MISSING "code-missing" "a display name stands without its code" "有 displayName 而无 code"
        "write the code of the table; the words alone were kept" "补写代码表中的代码；现仅保留文字";
    CODE_PADDING "code-padding" "a code is written with another number of digits than its table"
        "代码位数与代码表不一致（如 1 与 01）"
        "write the code as its table lists it; it was read as the listed one"
        "按代码表的写法填写；已按表中代码读取，原值保留";
    CODE_SYSTEM_NAME "code-system-name" "the name of the code system is that of another OID"
        "codeSystemName 与 codeSystem 不是同一代码表"
        "name the table the OID stands for; the OID was believed"
        "改为该 OID 的代码表名称；读取时以 OID 为准";
    CODE_SYSTEM_OID "code-system-oid" "the OID of a code system is misspelled"
        "代码系统 OID 拼写错误" "mend the OID; it was read as the one meant" "改正 OID；已按正确的 OID 读取";
    CODE_SYSTEM_WRONG "code-system-wrong" "the code comes from a table that is not this element's"
        "数据元使用了其他代码表（如 ABO 血型用了 Rh 代码表）"
        "use the element's own table; the code was kept as it came and not translated"
        "改用该数据元的代码表；代码原样保留，未作转换";
    CODE_UNKNOWN "code-unknown" "the table of the element does not list the code"
        "代码不在数据元的代码表中" "use a listed code; the code was kept as it came" "使用表中的代码；代码原样保留";
    DATE_INVALID "date-invalid" "a date has a wrong form or the calendar lacks it"
        "日期格式错误或日历中无此日期" "write YYYYMMDD or YYYYMMDDHHMMSS; the text was carried"
        "写成 YYYYMMDD 或 YYYYMMDDHHMMSS；原文随附保存";
    DOCUMENT_UNKNOWN "document-unknown" "neither code nor templateId names a known document"
        "文档代码与模板均不认识" "use a document of WS/T 500 or WS/T 483; it was read generically"
        "使用 WS/T 500 或 WS/T 483 的文档；已按通用规则读取";
    ELEMENT_SPELLING "element-spelling" "the id of a data element is misspelled"
        "数据元标识符拼写错误" "mend the id; it was read as the one meant" "改正标识符；已按正确的标识符读取";
    ELEMENT_UNKNOWN "element-unknown" "the entry names no data element of the catalogue"
        "条目的代码不是目录中的数据元" "use an element of WS/T 363; the entry was kept and is shown to nobody"
        "使用 WS/T 363 的数据元；条目保留，不向任何人提供";
    ID_CHECK "id-check" "the citizen identity number fails its check (GB 11643)"
        "公民身份号码校验不通过（GB 11643）" "mend the number; without a proven one the person is not known"
        "核对身份证号；未通过校验的号码不能确定本人";
    ID_PREFIX "id-prefix" "letters stand before the citizen identity number"
        "身份证号前有多余字母（如 ID）" "write the 18 characters alone; the letters were left out"
        "只写 18 位号码；读取时已去掉前缀";
    LEADING_SPACE "leading-space" "a space stands before or after an identifier or code"
        "标识或代码前后有空格" "leave the space out; it was" "去掉空格；读取时已去掉";
    NAMESPACE_MISSING "namespace-missing" "the root is not in the namespace urn:hl7-org:v3"
        "根元素不在命名空间 urn:hl7-org:v3 中" "declare the namespace; the document was read all the same"
        "声明命名空间；文档仍已读取";
    NEGATED "negated" "an entry says that something is not so" "条目带有否定标志"
        "state it by the element's own flag; the entry was carried, never read as positive"
        "用数据元自己的标志表示；条目随附保存，不作肯定内容读取";
    NOT_IN_MODEL "not-in-model" "an element or attribute the document model does not have"
        "文档模型中没有的元素或属性（常为拼写错误）" "mend its name; what stands there was carried"
        "改正名称；其内容随附保存";
    PAYLOAD "payload" "a base64 payload cannot be decoded" "base64 内容无法解码"
        "encode it again; the text was carried" "重新编码；原文随附保存";
    PLACEHOLDER "placeholder" "a word that stands for nothing instead of data" "用占位文字代替数据（无、-、XXX）"
        "leave the value out; it was read as absent" "没有内容就不要填写；已按缺失处理";
    TEMPLATE_OTHER "template-other" "templateId is that of another document" "templateId 属于另一种文档"
        "write the template of the document's code; the code was believed"
        "改为与文档代码一致的模板；读取时以文档代码为准";
    UNIT_SPELLING "unit-spelling"
        "the unit is not spelled as its element's"
        "计量单位写法与数据元不一致（如 Kg、前置空格）"
        "spell the unit as the standard does; it was kept as written" "按标准书写单位；单位原样保留";
    VALUE_TYPE "value-type" "the value is not of its element's type" "值的类型与数据元不符"
        "write the type of the element; what did not fit was carried" "按数据元的类型填写；不符的内容随附保存";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_remark_has_its_own_name_and_says_what_to_mend() {
        let ids: Vec<_> = REMARKS.iter().map(|remark| remark.id).collect();
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(ids, sorted);
        for remark in REMARKS {
            assert!(!remark.en.is_empty() && !remark.mend_en.is_empty(), "{}", remark.id);
            assert!(!remark.zh.is_empty() && !remark.mend_zh.is_empty(), "{}", remark.id);
        }
    }
}
