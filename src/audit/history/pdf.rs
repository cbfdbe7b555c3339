//! The account on paper: A4, one column, the characters it uses embedded and nothing else.

use icu_segmenter::LineSegmenter;
use krilla::Document;
use krilla::geom::Point;
use krilla::metadata::Metadata;
use krilla::num::NormalizedF32;
use krilla::page::PageSettings;
use krilla::paint::Fill;
use krilla::surface::Surface;
use krilla::text::{Font, GlyphId, KrillaGlyph};

use super::typeface::{Measure, Typeface};
use super::{Account, TITLE, Told};

/// A4 in points.
const PAGE: (f32, f32) = (595.28, 841.89);
/// Empty at each side.
const MARGIN: f32 = 56.0;
/// Where the text of a page ends; its foot stands below.
const BOTTOM: f32 = PAGE.1 - 64.0;
/// From line to line, in parts of the size.
const LEADING: f32 = 1.6;
/// Sizes in points.
const TEXT: f32 = 10.5;
const SMALL: f32 = 8.5;
const HEADING: f32 = 14.0;
const LARGE: f32 = 20.0;
/// Where the words of the head begin.
const HEAD_INDENT: f32 = 90.0;

/// Why a history is not printed.
#[derive(Debug, thiserror::Error)]
pub enum PdfError {
    /// The font cannot be embedded.
    #[error("the font cannot be embedded")]
    Font,
    /// The writer refuses.
    #[error("the file cannot be written: {0}")]
    Writer(String),
}

/// A line where it stands in its block.
struct Line {
    text: String,
    size: f32,
    indent: f32,
    grey: bool,
    /// Beside the line before, not below it.
    beside: bool,
}

/// Lines that stay on one page if they fit on one.
#[derive(Default)]
struct Block {
    /// Empty above it, unless it begins a page.
    above: f32,
    lines: Vec<Line>,
    /// Whether what follows must begin on the same page.
    leads: bool,
}

/// Writes the account.
///
/// # Errors
/// [`PdfError`] if the font cannot be embedded.
pub fn write(account: &Account, typeface: &Typeface) -> Result<Vec<u8>, PdfError> {
    let font = typeface.embedded().ok_or(PdfError::Font)?;
    let drawn = typeface.measure(|measure| draw(account, measure, &font));
    let document = drawn.flatten().ok_or(PdfError::Font)?;
    document.finish().map_err(|error| PdfError::Writer(format!("{error:?}")))
}

fn draw(account: &Account, measure: &Measure<'_>, font: &Font) -> Option<Document> {
    let pages = paginate(blocks(account, measure));
    let mut document = Document::new();
    let metadata = Metadata::new().title(format!("{TITLE} {}", account.reference));
    document.set_metadata(metadata.language("zh-CN".to_owned()));
    let count = pages.len();
    for (number, lines) in (1..).zip(pages) {
        let mut page = document.start_page_with(PageSettings::from_wh(PAGE.0, PAGE.1)?);
        let mut surface = page.surface();
        for (y, line) in &lines {
            let (x, grey) = (MARGIN + line.indent, line.grey);
            text(&mut surface, (measure, font), (x, *y), (&line.text, line.size, grey));
        }
        let foot = format!(
            "{TITLE}　代号 {}　制作于 {}　第 {number} 页，共 {count} 页",
            account.reference, account.made
        );
        text(&mut surface, (measure, font), (MARGIN, PAGE.1 - 36.0), (&foot, SMALL, true));
        surface.finish();
        page.finish();
    }
    Some(document)
}

/// Draws one line, its baseline at a height.
fn text(
    surface: &mut Surface<'_>,
    (measure, font): (&Measure<'_>, &Font),
    (x, y): (f32, f32),
    (text, size, grey): (&str, f32, bool),
) {
    let shade = krilla::color::luma::Color::new(if grey { 96 } else { 16 });
    let fill = Fill { paint: shade.into(), opacity: NormalizedF32::ONE, ..Fill::default() };
    surface.set_fill(Some(fill));
    let glyphs = text.char_indices().zip(measure.glyphs(text));
    let glyphs: Vec<_> = glyphs
        .map(|((at, sign), (glyph, width))| {
            let glyph = GlyphId::new(glyph.to_u32());
            KrillaGlyph::new(glyph, width, 0.0, 0.0, 0.0, at..at + sign.len_utf8(), None)
        })
        .collect();
    surface.draw_glyphs(Point::from_xy(x, y), &glyphs, font.clone(), text, size, false);
}

/// Everything that is said, from the top.
fn blocks(account: &Account, measure: &Measure<'_>) -> Vec<Block> {
    let set = Setter { measure };
    let heading =
        |words: &str| Block { leads: true, ..set.block(18.0, &[(words, HEADING, false)]) };
    let mut blocks = vec![set.block(0.0, &[(TITLE, LARGE, false)])];
    blocks.extend(account.head.iter().map(|(heading, words)| set.named(heading, words)));
    blocks.push(heading("概要"));
    blocks.extend(account.lead.iter().map(|said| set.block(2.0, &[(said, TEXT, false)])));
    for chapter in &account.chapters {
        blocks.push(heading(chapter.title));
        if chapter.told.is_empty() {
            blocks.push(set.block(2.0, &[(chapter.none, TEXT, false)]));
        }
        blocks.extend(chapter.told.iter().map(|told| set.told(told)));
    }
    blocks.push(heading("怎样核验"));
    blocks.extend(account.foot.iter().map(|said| set.block(4.0, &[(said, TEXT, false)])));
    blocks
}

/// Sets texts in lines.
struct Setter<'a> {
    measure: &'a Measure<'a>,
}

impl Setter<'_> {
    fn block(&self, above: f32, texts: &[(&str, f32, bool)]) -> Block {
        let lines = texts.iter().flat_map(|(text, size, grey)| {
            self.lines(text, *size, 0.0).into_iter().map(|text| Line {
                text,
                size: *size,
                indent: 0.0,
                grey: *grey,
                beside: false,
            })
        });
        Block { above, lines: lines.collect(), leads: false }
    }

    /// A heading of the head, and its words beside it.
    fn named(&self, heading: &str, words: &str) -> Block {
        let (size, beside) = (TEXT, false);
        let heading = Line { text: heading.to_owned(), size, indent: 0.0, grey: true, beside };
        let words = self.lines(words, size, HEAD_INDENT).into_iter().enumerate();
        let words = words.map(|(number, text)| Line {
            text,
            size,
            indent: HEAD_INDENT,
            grey: false,
            beside: number == 0,
        });
        let lines = std::iter::once(heading).chain(words).collect();
        Block { above: 2.0, lines, leads: false }
    }

    fn told(&self, told: &Told) -> Block {
        let title = format!("{}　{}", told.at, told.what);
        let receipt = format!("台账第 {} 条，回执号 {}", told.number, told.receipt);
        let mut texts = vec![(title.as_str(), 11.5, false)];
        texts.extend(told.sentences.iter().map(|said| (said.as_str(), TEXT, false)));
        texts.push((&receipt, SMALL, true));
        self.block(10.0, &texts)
    }

    /// Breaks a text where Unicode lets it be broken (UAX 14): no full stop begins a line.
    fn lines(&self, text: &str, size: f32, indent: f32) -> Vec<String> {
        let room = PAGE.0 - 2.0 * MARGIN - indent;
        let wide = |part: &str| -> f32 {
            self.measure.glyphs(part).iter().map(|(_, width)| width * size).sum()
        };
        let breaks = LineSegmenter::new_for_non_complex_scripts(Default::default());
        let (mut lines, mut line, mut from) = (Vec::new(), String::new(), 0);
        for until in breaks.segment_str(text) {
            let part = text.get(from..until).unwrap_or_default();
            from = until;
            if !line.is_empty() && wide(&line) + wide(part.trim_end()) > room {
                lines.push(std::mem::take(&mut line));
            }
            line.push_str(part);
            // One word wider than the paper is cut wherever it is full.
            while wide(line.trim_end()) > room {
                let full = line.char_indices().map(|(at, _)| at).skip(1);
                let cut = full.take_while(|at| wide(line.get(..*at).unwrap_or_default()) <= room);
                let Some(cut) = cut.last() else { break };
                let rest = line.split_off(cut);
                lines.push(std::mem::replace(&mut line, rest));
            }
        }
        lines.push(line);
        lines
    }
}

/// Lines with their heights, page by page.
fn paginate(blocks: Vec<Block>) -> Vec<Vec<(f32, Line)>> {
    let heights: Vec<f32> = blocks.iter().map(Block::height).collect();
    let mut pages = vec![Vec::new()];
    let mut y = MARGIN;
    for (number, block) in blocks.into_iter().enumerate() {
        let own = heights.get(number).copied().unwrap_or_default();
        let next = heights.get(number + 1).copied().unwrap_or_default();
        let whole = own + if block.leads { next } else { 0.0 };
        let begins = y <= MARGIN;
        if !begins && y + whole > BOTTOM && whole < BOTTOM - MARGIN {
            pages.push(Vec::new());
            y = MARGIN;
        } else if !begins {
            y += block.above;
        }
        for line in block.lines {
            let step = line.size * LEADING;
            if line.beside {
                y -= step;
            } else if y + step > BOTTOM {
                pages.push(Vec::new());
                y = MARGIN;
            }
            y += step;
            if let Some(page) = pages.last_mut() {
                page.push((y - line.size * 0.5, line));
            }
        }
    }
    pages
}

impl Block {
    fn height(&self) -> f32 {
        let lines = self.lines.iter().filter(|line| !line.beside);
        self.above + lines.map(|line| line.size * LEADING).sum::<f32>()
    }
}
