//! Names of one person in all their spellings, and names of others.

use super::{Name, readings};

fn name(text: &str) -> Name {
    Name::read(text).unwrap_or_else(|| panic!("{text}"))
}

fn heard_alike(a: &str, b: &str) -> bool {
    let (a, b) = (name(a), name(b));
    a.readings.iter().any(|reading| b.readings.contains(reading))
}

#[test]
fn one_name_is_one_however_it_is_typed() {
    for (text, same) in [
        ("李 明", "李明"),
        ("李\u{3000}明", "李明"),
        ("\u{feff}李明\u{200b}", "李明"),
        ("李明(曾用名)", "李明曾用名"),
        ("欧阳·兰", "欧阳兰"),
        ("買買提·吐爾遜", "买买提吐尔逊"),
        ("阿卜杜拉·买买提", "阿卜杜拉•买买提"),
        ("阿卜杜拉·买买提", "阿卜杜拉・买买提"),
        ("阿卜杜拉·买买提", "阿卜杜拉．买买提"),
        ("阿卜杜拉·买买提", "阿卜杜拉‧买买提"),
        ("阿卜杜拉·买买提", "阿卜杜拉.买买提"),
        ("阿卜杜拉·买买提", "阿卜杜拉买买提"),
        ("王蘭", "王兰"),
        ("李愛國", "李爱国"),
        ("李國强", "李国強"),
        ("ＬＩ Ｍｉｎｇ", "LI MING"),
        ("LǙ XIÙYĪNG", "lu xiuying"),
    ] {
        assert_eq!(name(text).whole, name(same).whole, "{text} {same}");
    }
}

#[test]
fn a_surname_is_read_as_a_surname() {
    for (text, pinyin) in [
        ("单兰", "SHAN LAN"),
        ("解国兰", "XIE GUOLAN"),
        ("仇兰", "QIU LAN"),
        ("查兰", "ZHA LAN"),
        ("曾兰", "ZENG LAN"),
        ("区兰", "OU LAN"),
        ("盖兰", "GE LAN"),
        ("朴兰", "PIAO LAN"),
        ("尉迟兰", "YUCHI LAN"),
        ("万俟兰", "MOQI LAN"),
        ("覃兰", "QIN LAN"),
        ("任兰", "REN LAN"),
        ("单乐重", "SHAN LECHONG"),
    ] {
        assert!(heard_alike(text, pinyin), "{text} {pinyin}");
    }
    assert_eq!(name("尉迟兰").given, ["lan"]);
    assert_eq!(name("尉兰").surnames.first().map(String::as_str), Some("yu"));
}

#[test]
fn pinyin_is_known_in_both_orders_and_all_spellings() {
    for (text, pinyin) in [
        ("邓兰淑", "DENG LANSHU"),
        ("邓兰淑", "Lanshu Deng"),
        ("邓兰淑", "deng lan shu"),
        ("邓兰淑", "DENGLANSHU"),
        ("陈玉", "CHEN YU"),
        ("陈玉", "CHENYU"),
        ("安玉兰", "AN YULAN"),
        ("吕秀英", "LV XIUYING"),
        ("吕秀英", "LYU XIUYING"),
        ("吕秀英", "LÜ XIUYING"),
        ("吕秀英", "LU XIUYING"),
        ("齐玉兰", "QI玉兰"),
        ("齐玉兰", "齐YU兰"),
    ] {
        assert!(heard_alike(text, pinyin), "{text} {pinyin}");
    }
}

#[test]
fn homophones_are_heard_alike_and_others_are_not() {
    for (a, b, alike) in [
        ("李明", "李铭", true),
        ("张秀英", "章秀英", true),
        ("张秀英", "张秀瑛", true),
        ("李明", "李敏", false),
        ("张秀英", "张秀芳", false),
        ("李明", "王明", false),
    ] {
        assert_eq!(heard_alike(a, b), alike, "{a} {b}");
    }
}

#[test]
fn the_usual_reading_survives_where_many_are_possible() {
    // Three readings of the surname and many of the given name: the first are kept.
    let found = name("单重乐").readings;
    assert!(found.len() <= 8 && found.first().is_some_and(|first| first.starts_with("shan")));
    assert_eq!(readings::folded("chenyu"), readings::folded("chen") + "u");
}

#[test]
fn a_lost_character_leaves_a_gap() {
    for text in ["王□芳", "王〇芳", "王?芳", "王？芳", "王*芳", "王＊芳", "王\u{fffd}芳", "王○芳"]
    {
        let name = name(text);
        assert!(name.gapped && name.whole == "王芳", "{text}");
    }
    assert!(name("王喆芳").without_one.contains(&name("王□芳").whole));
    assert!(name("□芳").surnames.is_empty());
    assert!(!name("王芳").gapped);
    for text in ["", " ", "□", "???", "**", "·", "🙂", "，。"] {
        assert!(Name::read(text).is_none(), "{text}");
    }
}

#[test]
fn a_married_woman_has_two_surnames() {
    let both = name("王陈氏");
    assert!(both.married && both.surnames.contains(&"wang".to_owned()));
    assert!(both.surnames.contains(&"chen".to_owned()) && both.readings.is_empty());
    let one = name("谭氏");
    assert!(one.married && one.surnames.contains(&"tan".to_owned()));
    let own = name("郑吴凤平");
    assert!(!own.married && own.beginnings == ["吴凤平"]);
    assert!(own.surnames.contains(&"zheng".to_owned()) && own.surnames.contains(&"wu".to_owned()));
    // A double surname with two characters is no wife's name.
    assert!(name("欧阳凤平").beginnings.is_empty());
    assert!(!name("氏").married);
}

#[test]
fn a_long_name_is_known_by_its_beginning() {
    let whole = name("阿卜杜拉·买买提·吐尔逊");
    for cut in ["阿卜杜拉", "阿卜杜拉·买买", "阿卜杜拉·买买提·吐"] {
        assert!(whole.beginnings.contains(&name(cut).whole), "{cut}");
    }
    assert!(whole.surnames.is_empty());
}

#[test]
fn absurd_names_are_cut() {
    for sign in
        ["兰", "A", "A ", "乐", "1", "ا", "é", "\u{fdfa}", "\u{202e}", "👨‍👩‍👧", "\u{301}", "〇兰"]
    {
        let long = sign.repeat(10_000);
        let Some(name) = Name::read(&long) else { continue };
        assert!(name.whole.chars().count() <= super::NAME_MAX, "{sign}");
        assert!(name.readings.len() <= 8 && name.without_one.len() <= super::NAME_MAX, "{sign}");
    }
    assert!(!format!("{:?}", name("李明")).contains("李"));
}
