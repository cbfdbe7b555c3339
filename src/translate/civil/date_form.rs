//! 日期写法, how a city writes its dates: `yyyy年M月d日`, `yyyy/MM/dd HH:mm`.
//!
//! `yyyy`, `MM`, `dd`, `HH`, `mm`, `ss` have as many digits as letters; `M`, `d`, `H` have
//! one or two. Everything else stands as it is written. Parts go from the year down without
//! a gap, so that a form says how exact its dates are.

/// One form, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DateForm(Vec<Token>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Literal(char),
    /// Which part, from the year, and how many digits at least and at most.
    Part(usize, usize, usize),
}

/// The letters of each part, its least and its most digits; the longest spelling first.
const PARTS: &[(&str, usize, usize, usize)] = &[
    ("yyyy", 0, 4, 4),
    ("MM", 1, 2, 2),
    ("M", 1, 1, 2),
    ("dd", 2, 2, 2),
    ("d", 2, 1, 2),
    ("HH", 3, 2, 2),
    ("H", 3, 1, 2),
    ("mm", 4, 2, 2),
    ("ss", 5, 2, 2),
];
/// What stands before each part in ISO 8601.
const BEFORE: [&str; 6] = ["", "-", "-", "T", ":", ":"];

impl DateForm {
    /// Reads a form; `None` if a part is missing above another, or stands twice.
    pub fn parse(text: &str) -> Option<Self> {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let part = PARTS.iter().find(|(letters, ..)| rest.starts_with(letters));
            match part {
                Some((letters, part, least, most)) => {
                    tokens.push(Token::Part(*part, *least, *most));
                    rest = rest.strip_prefix(letters)?;
                }
                None if first.is_ascii_alphanumeric() && first != 'T' => return None,
                None => {
                    tokens.push(Token::Literal(first));
                    rest = rest.strip_prefix(first)?;
                }
            }
        }
        let form = Self(tokens);
        let mut parts = form.parts();
        parts.sort_unstable();
        // An hour without its minutes is nothing ISO 8601 could say here.
        let gapless = parts.iter().copied().eq(0..parts.len()) && parts.len() != 4;
        (gapless && !parts.is_empty()).then_some(form)
    }

    fn parts(&self) -> Vec<usize> {
        let part = |token: &Token| match token {
            Token::Literal(_) => None,
            Token::Part(part, ..) => Some(*part),
        };
        self.0.iter().filter_map(part).collect()
    }

    /// A date of this form in ISO 8601; `None` if the text is not of it.
    pub fn read(&self, text: &str) -> Option<String> {
        let mut rest = text.trim();
        let mut found = [const { None }; 6];
        for token in &self.0 {
            match token {
                Token::Literal(sign) => rest = rest.strip_prefix(*sign)?,
                Token::Part(part, least, most) => {
                    let digits = rest.bytes().take(*most).take_while(u8::is_ascii_digit).count();
                    let (number, behind) = rest.split_at_checked(digits)?;
                    if digits < *least {
                        return None;
                    }
                    *found.get_mut(*part)? = Some(number);
                    rest = behind;
                }
            }
        }
        if !rest.is_empty() {
            return None;
        }
        let parts = found.into_iter().zip(BEFORE).map_while(|(part, before)| Some((part?, before)));
        Some(parts.map(|(part, before)| format!("{before}{part:0>2}")).collect())
    }

    /// A date of ISO 8601 in this form; `None` if it is more or less exact, or has an offset.
    pub fn write(&self, iso: &str) -> Option<String> {
        let parts: Vec<_> = iso.split(['-', 'T', ':']).collect();
        let plain = parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
        if !plain || parts.len() != self.parts().len() {
            return None;
        }
        let mut text = String::new();
        for token in &self.0 {
            match token {
                Token::Literal(sign) => text.push(*sign),
                Token::Part(part, least, _) => {
                    let digits = parts.get(*part)?;
                    let short = digits.strip_prefix('0').filter(|_| *least == 1);
                    text.push_str(short.unwrap_or(digits));
                }
            }
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(form: &str, text: &str, iso: Option<&str>) {
        let form = DateForm::parse(form).unwrap();
        assert_eq!(form.read(text).as_deref(), iso, "{text}");
        if let Some(iso) = iso {
            let written = form.write(iso).unwrap();
            assert_eq!(form.read(&written).as_deref(), Some(iso), "{written}");
        }
    }

    #[test]
    fn a_date_is_read_and_written_in_its_form() {
        check("yyyy年M月d日", "2026年3月5日", Some("2026-03-05"));
        check("yyyy年M月d日", "2026年12月31日", Some("2026-12-31"));
        check("yyyy年M月", "2026年3月", Some("2026-03"));
        check("yyyyMMdd", "20260305", Some("2026-03-05"));
        check("d/M/yyyy", "5/3/2026", Some("2026-03-05"));
        check("yyyy/MM/dd HH:mm", "2026/03/05 08:30", Some("2026-03-05T08:30"));
        check("yyyy-MM-dd HH:mm:ss", "2026-03-05 08:30:00", Some("2026-03-05T08:30:00"));
        for text in ["2026年3月", "2026年3月5日晚", "26年3月5日", "2026年三月5日", ""]
        {
            check("yyyy年M月d日", text, None);
        }
    }

    #[test]
    fn a_form_that_could_not_be_inverted_is_none() {
        for form in ["", "M月d日", "yyyy年d日", "yyyyMMyyyy", "yyyy-MM-dd HH", "yyyy x"] {
            assert_eq!(DateForm::parse(form), None, "{form}");
        }
        let day = DateForm::parse("yyyy年M月d日").unwrap();
        for iso in ["2026-03", "2026-03-05T08:30", "2026-03-05T08:30+08:00", "-2026"] {
            assert_eq!(day.write(iso), None, "{iso}");
        }
    }
}
