//! 字体, the one a history is printed in: the system's own, for none is shipped or downloaded.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use skrifa::prelude::{LocationRef, Size};
use skrifa::string::StringId;
use skrifa::{FontRef, GlyphId, MetadataProvider};

/// Where Debian's packages put theirs, the first that is there is taken.
const KNOWN: &[&str] = &[
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc", // fonts-noto-cjk
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",           // fonts-wqy-zenhei
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",         // fonts-wqy-microhei
];

/// A font that has none of these is no Chinese one.
const NEEDED: &str = "个人信息查阅记录";

/// Largest file that is read, bytes.
const BYTES_MAX: u64 = 64 << 20;

/// Why there is no font to print in.
#[derive(Debug, thiserror::Error)]
pub enum TypefaceError {
    /// No package is installed, and no file was named.
    #[error(
        "no Chinese font: install Debian's fonts-noto-cjk, fonts-wqy-zenhei or \
         fonts-wqy-microhei, or name a file by [ledger] font"
    )]
    Missing,
    /// The file has no Chinese characters, or cannot be embedded.
    #[error("{0}: not a font with Chinese characters (TrueType or OpenType, also as a collection)")]
    NotChinese(PathBuf),
    /// The file cannot be read.
    #[error("{0}: {1}")]
    Unreadable(PathBuf, std::io::Error),
}

/// A font with Chinese characters.
#[derive(Debug, Clone)]
pub struct Typeface {
    bytes: Arc<Vec<u8>>,
    /// Which of a collection.
    index: u32,
}

impl Typeface {
    /// Reads the font a site has chosen, or one of those Debian has.
    ///
    /// # Errors
    /// [`TypefaceError`], which names the packages.
    pub fn find(chosen: Option<&Path>) -> Result<Self, TypefaceError> {
        let known = || KNOWN.iter().map(Path::new).find(|path| path.exists());
        let path = chosen.or_else(known).ok_or(TypefaceError::Missing)?;
        let unreadable = |error| TypefaceError::Unreadable(path.to_owned(), error);
        let size = std::fs::metadata(path).map_err(unreadable)?.len();
        if size > BYTES_MAX {
            return Err(TypefaceError::NotChinese(path.to_owned()));
        }
        let bytes = std::fs::read(path).map_err(unreadable)?;
        Self::read(bytes).ok_or_else(|| TypefaceError::NotChinese(path.to_owned()))
    }

    /// The first of a file's fonts with Chinese characters; one made for simplified ones comes
    /// before the others of a collection.
    fn read(bytes: Vec<u8>) -> Option<Self> {
        let fonts: Vec<_> = FontRef::fonts(&bytes).collect();
        let fonts: Vec<_> =
            (0..).zip(fonts).filter_map(|(n, font)| Some((n, font.ok()?))).collect();
        let chinese = |font: &FontRef<'_>| {
            let map = font.charmap();
            NEEDED.chars().all(|sign| map.map(sign).is_some())
        };
        let mut fit = fonts.iter().filter(|(_, font)| chinese(font));
        let first = fit.clone().next()?.0;
        let index = fit.find(|(_, font)| simplified(font)).map_or(first, |(index, _)| *index);
        Some(Self { bytes: Arc::new(bytes), index })
    }

    /// The font as the writer of the file takes it.
    pub(super) fn embedded(&self) -> Option<krilla::text::Font> {
        krilla::text::Font::new(Arc::clone(&self.bytes).into(), self.index)
    }

    /// What its characters are and how wide, at a size of one; `None` never for what was read.
    pub(super) fn measure<T>(&self, with: impl FnOnce(&Measure<'_>) -> T) -> Option<T> {
        let font = FontRef::from_index(&self.bytes, self.index).ok()?;
        Some(with(&Measure { font }))
    }
}

/// Whether a font of a collection is the one for simplified characters.
fn simplified(font: &FontRef<'_>) -> bool {
    let mut names = font.localized_strings(StringId::FAMILY_NAME);
    names.any(|name| name.to_string().ends_with(" SC"))
}

/// The glyphs of a text.
pub(super) struct Measure<'a> {
    font: FontRef<'a>,
}

impl Measure<'_> {
    /// Each character's glyph and width, in parts of the size; one the font has not is its
    /// sign for what is missing.
    pub(super) fn glyphs(&self, text: &str) -> Vec<(GlyphId, f32)> {
        let widths = self.font.glyph_metrics(Size::new(1.0), LocationRef::default());
        let map = self.font.charmap();
        let glyph = |sign| map.map(sign).unwrap_or(GlyphId::NOTDEF);
        let glyphs = text.chars().map(glyph);
        glyphs.map(|glyph| (glyph, widths.advance_width(glyph).unwrap_or(1.0))).collect()
    }
}
