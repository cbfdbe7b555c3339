//! 姓名, names as they are compared: one width, one script, no blanks, with all readings.

use std::collections::HashMap;
use std::sync::LazyLock;

use icu_normalizer::ComposingNormalizerBorrowed;
use pinyin::{ToPinyin, ToPinyinMulti};

/// Traditional and variant characters, each before the one it is compared as. From OpenCC's
/// dictionaries (Apache-2.0), with variants that names are known for.
static VARIANTS: LazyLock<HashMap<char, char>> = LazyLock::new(|| {
    let pairs = include_str!("variants.txt").lines().filter_map(|line| {
        let mut signs = line.chars();
        Some((signs.next()?, signs.next()?))
    });
    pairs.collect()
});

/// Surnames read otherwise than the character alone.
const SURNAME_READINGS: &[(char, &str)] = &[
    ('仇', "qiu"),
    ('单', "shan"),
    ('解', "xie"),
    ('查', "zha"),
    ('曾', "zeng"),
    ('任', "ren"),
    ('华', "hua"),
    ('区', "ou"),
    ('盖', "ge"),
    ('尉', "yu"),
    ('朴', "piao"),
    ('乐', "yue"),
    ('翟', "zhai"),
    ('冼', "xian"),
    ('缪', "miao"),
    ('宓', "mi"),
    ('员', "yun"),
    ('祭', "zhai"),
    ('种', "chong"),
    ('覃', "qin"),
    ('纪', "ji"),
    ('黑', "he"),
    ('折', "she"),
    ('召', "shao"),
    ('隗', "wei"),
    ('郇', "xun"),
    ('洗', "xian"),
    ('佴', "nai"),
    ('重', "chong"),
    ('繁', "po"),
    ('秘', "bi"),
    ('薄', "bo"),
    ('宿', "su"),
    ('车', "che"),
    ('贾', "jia"),
    ('石', "shi"),
    ('沈', "shen"),
    ('俞', "yu"),
    ('曲', "qu"),
    ('卜', "bu"),
    ('晁', "chao"),
    ('郗', "xi"),
    ('亓', "qi"),
    ('逄', "pang"),
    ('褚', "chu"),
    ('臧', "zang"),
    ('牟', "mu"),
    ('强', "qiang"),
    ('尹', "yin"),
    ('艾', "ai"),
    ('相', "xiang"),
    ('訾', "zi"),
    ('费', "fei"),
    ('澹', "tan"),
];

/// Surnames of two characters.
const DOUBLE_SURNAMES: &[&str] = &[
    "欧阳", "太史", "端木", "上官", "司马", "东方", "独孤", "南宫", "万俟", "闻人", "夏侯", "诸葛",
    "尉迟", "公羊", "赫连", "澹台", "皇甫", "宗政", "濮阳", "公冶", "太叔", "申屠", "公孙", "慕容",
    "仲孙", "钟离", "长孙", "宇文", "司徒", "鲜于", "司空", "闾丘", "子车", "亓官", "司寇", "巫马",
    "公西", "颛孙", "壤驷", "公良", "漆雕", "乐正", "宰父", "谷梁", "拓跋", "夹谷", "轩辕", "令狐",
    "段干", "百里", "呼延", "东郭", "南门", "羊舌", "微生", "梁丘", "左丘", "东门", "西门", "第五",
];

/// Signs that stand where a character could not be written.
const GAPS: &[char] = &['?', '*', '□', '■', '〇', '○', '�', '＿', '_', '〓', '囗'];

/// Readings of one name that are kept; more say nothing more.
const READINGS_MAX: usize = 8;

/// From how many characters on a name is no Han name of surname and given name.
const LONG_NAME: usize = 5;

/// NFKC: full and half width, compatibility forms.
pub fn plain(text: &str) -> String {
    ComposingNormalizerBorrowed::new_nfkc().normalize(text).into_owned()
}

/// A name taken apart.
#[derive(Default)]
pub struct Name {
    /// Its characters, in one script, without blanks and dots; Latin letters upper case.
    pub whole: String,
    /// All ways it is read, without tones.
    pub readings: Vec<String>,
    /// Ways the surname is read; of a married woman's old form both surnames; empty where
    /// it is not known.
    pub surnames: Vec<String>,
    /// Ways the given name is read.
    pub given: Vec<String>,
    /// The name with each character left out.
    pub without_one: Vec<String>,
    /// Its beginnings, of a long name.
    pub beginnings: Vec<String>,
    /// Whether a character of it was lost.
    pub gapped: bool,
    /// Whether it is of the old form 王陈氏.
    pub married: bool,
    /// Whether it is written in Latin letters alone.
    pub latin: bool,
}

impl Name {
    /// Takes a name apart; `None` if nothing of it can be compared.
    pub fn read(text: &str) -> Option<Self> {
        let text = plain(text);
        let kept = |sign: &char| sign.is_alphanumeric() || GAPS.contains(sign);
        let latin = text.chars().filter(|sign| kept(sign) && !GAPS.contains(sign));
        let mut latin = latin.peekable();
        latin.peek()?;
        if latin.all(|sign| sign.is_ascii_alphabetic()) {
            return Some(Self::latin(&text));
        }
        let signs: Vec<char> = text.chars().filter(kept).map(fold).collect();
        let gapped = signs.iter().any(|sign| GAPS.contains(sign));
        let units = units(&signs);
        let left: Vec<&Unit> = units.iter().filter(|unit| **unit != Unit::Gap).collect();
        let whole: String = left.iter().map(|unit| unit.text()).collect();
        let long = left.len() >= LONG_NAME;
        let married = !long && left.len() >= 2 && left.last().is_some_and(|unit| unit.is('氏'));
        let split = match () {
            () if long => 0,
            () if units.first() == Some(&Unit::Gap) => 0,
            () if left.len() > 2 && DOUBLE_SURNAMES.contains(&first_two(&left).as_str()) => 2,
            () => 1,
        };
        let (surname, given) = left.split_at_checked(split).unwrap_or((&[], &left));
        let mut name = Self { gapped, married, ..Self::default() };
        if married {
            let body = left.split_last().map_or(&left[..], |(_, body)| body);
            name.surnames = body.iter().flat_map(|unit| readings(&[unit], true)).collect();
        } else {
            name.surnames = if surname.is_empty() { Vec::new() } else { readings(surname, true) };
            name.given = if given.is_empty() { Vec::new() } else { readings(given, false) };
            name.readings = joined(&name.surnames, &name.given);
        }
        if left.len() >= 2 && !married {
            let without = |skip: usize| {
                let left = left.iter().enumerate().filter(|(at, _)| *at != skip);
                left.map(|(_, unit)| unit.text()).collect::<String>()
            };
            name.without_one = (0..left.len()).map(without).collect();
        }
        // 郑吴凤平 is 吴凤平 under her husband's surname.
        if left.len() == 4 && split == 1 {
            let own = left.get(1..).unwrap_or_default();
            name.beginnings = vec![own.iter().map(|unit| unit.text()).collect()];
            name.surnames.extend(readings(own.get(..1).unwrap_or_default(), true));
            name.given.extend(readings(own.get(1..).unwrap_or_default(), false));
        }
        if long {
            let begin = |end: usize| left.iter().take(end).map(|unit| unit.text()).collect();
            name.beginnings = (3..left.len()).map(begin).collect();
        }
        name.whole = whole;
        Some(name)
    }

    fn latin(text: &str) -> Self {
        let letters = |text: &str| -> String {
            let letters = text.chars().filter(char::is_ascii_alphabetic);
            reading(&letters.map(|sign| sign.to_ascii_lowercase()).collect::<String>())
        };
        let words = text.split(|sign: char| !sign.is_ascii_alphabetic()).filter(|w| !w.is_empty());
        let words: Vec<_> = words.collect();
        let mut name = Self {
            whole: letters(text).to_ascii_uppercase(),
            readings: vec![letters(text)],
            latin: true,
            gapped: text.contains(GAPS),
            ..Self::default()
        };
        // Either word may be the surname: LANSHU DENG is DENG LANSHU.
        if let ([first, rest @ ..], [body @ .., last]) = (&words[..], &words[..])
            && words.len() > 1
        {
            let orders = [
                (letters(first), letters(&rest.concat())),
                (letters(last), letters(&body.concat())),
            ];
            for (surname, given) in orders {
                name.readings.push(format!("{surname}{given}"));
                name.surnames.push(surname);
                name.given.push(given);
            }
            name.readings.dedup();
        }
        name
    }
}

/// One character, or the reading that stands where one could not be written.
#[derive(PartialEq)]
enum Unit {
    Gap,
    Sign(char),
    Reading(String),
}

impl Unit {
    fn text(&self) -> String {
        match self {
            Self::Gap => String::new(),
            Self::Sign(sign) => sign.to_string(),
            Self::Reading(text) => text.to_ascii_uppercase(),
        }
    }

    fn is(&self, sign: char) -> bool {
        *self == Self::Sign(sign)
    }
}

fn fold(sign: char) -> char {
    VARIANTS.get(&sign).copied().unwrap_or(sign)
}

/// Characters, runs of Latin letters and gaps, in their order.
fn units(signs: &[char]) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for sign in signs {
        match (sign.is_ascii_alphabetic(), units.last_mut()) {
            (true, Some(Unit::Reading(text))) => text.push(sign.to_ascii_lowercase()),
            (true, _) => units.push(Unit::Reading(sign.to_ascii_lowercase().to_string())),
            (false, _) if GAPS.contains(sign) => units.push(Unit::Gap),
            (false, _) => units.push(Unit::Sign(*sign)),
        }
    }
    units
}

fn first_two(units: &[&Unit]) -> String {
    units.iter().take(2).map(|unit| unit.text()).collect()
}

/// One spelling of what is heard as one: ü is written u, v, yu.
fn reading(text: &str) -> String {
    let text = text.to_lowercase().replace(['ü', 'v'], "u");
    text.replace("lyu", "lu").replace("nyu", "nu")
}

/// All ways the units are read, surname readings first where it is one.
fn readings(units: &[&Unit], surname: bool) -> Vec<String> {
    let mut found = vec![String::new()];
    for unit in units {
        let ways = match unit {
            Unit::Gap => continue,
            Unit::Reading(text) => vec![reading(text)],
            Unit::Sign(sign) => ways(*sign, surname),
        };
        let longer =
            found.iter().flat_map(|head| ways.iter().map(move |way| format!("{head}{way}")));
        found = longer.take(READINGS_MAX).collect();
    }
    found.sort();
    found.dedup();
    found
}

fn ways(sign: char, surname: bool) -> Vec<String> {
    let mut ways = Vec::new();
    if surname {
        let own = SURNAME_READINGS.iter().find(|(known, _)| *known == sign);
        ways.extend(own.map(|(_, reading)| (*reading).to_owned()));
    }
    ways.extend(sign.to_pinyin().map(|found| reading(found.plain())));
    let all = sign.to_pinyin_multi().into_iter().flatten();
    ways.extend(all.map(|found| reading(found.plain())));
    let mut seen = Vec::new();
    ways.retain(|way| {
        !seen.contains(way) && {
            seen.push(way.clone());
            true
        }
    });
    if ways.is_empty() {
        // A character without a known reading stands for itself.
        ways.push(sign.to_string());
    }
    ways
}

fn joined(surnames: &[String], given: &[String]) -> Vec<String> {
    let none = [String::new()];
    let surnames = if surnames.is_empty() { &none } else { surnames };
    let given = if given.is_empty() { &none } else { given };
    let all =
        surnames.iter().flat_map(|head| given.iter().map(move |tail| format!("{head}{tail}")));
    all.take(READINGS_MAX).collect()
}
