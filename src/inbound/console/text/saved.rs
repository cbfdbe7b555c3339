//! The texts of saved searches.

use super::Lang;

texts! { SavedText:
    title "保存的搜索" "Saved searches";
    lead
        "只有您能看到、运行和删除。按人员或控制编号的搜索不能保存。"
        "Yours alone, to run and to delete. A search by person or control id cannot be saved.";
    empty "没有保存的搜索；在搜索结果页可以保存。" "None. A page of results offers to save its search.";
    run "运行“{}”" "Run \"{}\"";
    forget "删除" "Delete";
    forget_of "删除“{}”" "Delete \"{}\"";
    save "保存此搜索" "Save this search";
    name "名称（不写个人信息）" "Name, without personal data";
    saved "已保存，已记入台账。" "It is saved; it is in the ledger.";
    forgotten "已删除，已记入台账。" "It is deleted; it is in the ledger.";
    full "最多保存 50 个搜索，请先删除不用的。" "Fifty are kept at most: delete one first.";
    refused
        "名称或条件不能保存：不得为空、过长或含有证件号码。"
        "It cannot be saved: nothing empty, too long, or with the number of a person.";
    terms_title "按条件" "By what it says";
    terms_lead
        "按部门、类别、目的、数据元和时间查找条目，可同时选几项，最近的在前。"
        "Entries of a department, a kind, a purpose, an element, a time, or several of these, \
         newest first.";
    element "数据元标识" "Element id";
    element_hint "被披露或被保留的数据元，如 {}" "What left, or was withheld, as in {}";
    wrong_term
        "类别、目的或数据元标识不正确。"
        "There is no such kind, purpose or element id.";
    terms_found "符合条件的条目" "Entries like that";
    any_department "所有部门" "every department";
    any_kind "所有类别" "every kind";
    any_purpose "所有目的" "every purpose";
    tired
        "已查看两万条，尚有更早的条目。"
        "Twenty thousand were looked at; there are older ones.";
}
