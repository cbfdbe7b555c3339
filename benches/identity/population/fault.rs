//! What goes wrong in registries, how often, and in whose.

/// How much more often than on average something happens in a source, in their order:
/// record archive, civil affairs, two hospitals. Weighed by the sources' records they make 1.
pub type Habit = [f64; 4];

/// All alike, the hospitals worse.
const ANY: Habit = [0.85, 0.63, 1.42, 1.65];
/// Civil affairs has it from the identity card.
const NOT_CIVIL: Habit = [1.13, 0.0, 1.6, 2.2];
/// A hospital treats who has no card with him.
const NO_CARD: Habit = [0.61, 0.07, 1.6, 3.65];
/// The second hospital's system is old.
const OLD_SYSTEM: Habit = [1.03, 0.36, 0.72, 3.37];
/// Division codes of the year in which the system was bought.
const OLD_CODES: Habit = [0.99, 0.245, 1.19, 2.83];
/// A machine that reads passports.
const HOSPITALS: Habit = [0.0, 0.0, 2.4, 4.1];
/// Who is asked for his name says what he is called.
const ASKED: Habit = [1.63, 0.0, 1.2, 1.4];
/// A column of six characters.
const SHORT_COLUMN: Habit = [0.0, 0.0, 0.0, 9.2];
/// The same everywhere.
const EVEN: Habit = [1.0; 4];

macro_rules! faults {
    ($($(#[$doc:meta])* $fault:ident $name:literal $rate:literal $habit:ident,)*) => {
        /// One kind of fault; the names are those of the sample's `truth.csv`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Fault {
            $($(#[$doc])* $fault,)*
        }

        impl Fault {
            /// Every kind, in the order in which `truth.csv` names them.
            pub const ALL: &[Self] = &[$(Self::$fault,)*];
            /// How many kinds there are.
            pub const COUNT: usize = Self::ALL.len();
            /// Of the records a fault can befall, the share it does befall.
            pub const RATES: [f64; Self::COUNT] = [$($rate,)*];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$fault => $name,)* }
            }

            /// In whose records it is frequent.
            pub const fn habit(self) -> &'static Habit {
                match self { $(Self::$fault => &$habit,)* }
            }
        }
    };
}

faults! {
    /// Another given name altogether, as the neighbours know it.
    NameAlias "name_alias" 0.0027 ASKED,
    /// The husband's surname before the own, or 氏 after it.
    MarriedName "married_name" 0.0065 ANY,
    /// A character of the same sound.
    NameHomophone "name_homophone" 0.018 ANY,
    /// A traditional, variant or look-alike character.
    NameVariantChar "name_variant_char" 0.018 ANY,
    /// A character the system could not write.
    RareGlyphLost "rare_glyph_lost" 0.15 ANY,
    /// Another dot, or none, between the parts of a minority name.
    DotVariant "dot_variant" 0.8 EVEN,
    /// Only the first six characters.
    NameTruncated "name_truncated" 0.03 SHORT_COLUMN,
    /// In Latin letters.
    NamePinyin "name_pinyin" 0.0045 HOSPITALS,
    /// A space before or within it.
    NameSpace "name_space" 0.0142 ANY,
    /// Not told.
    SexUnknown "sex_unknown" 0.005 ANY,
    /// The other one.
    SexWrong "sex_wrong" 0.0033 ANY,
    /// Lunar for solar, or solar where the lunar date is the official one.
    DobLunarSolar "dob_lunar_solar" 0.0217 NOT_CIVIL,
    /// One year off.
    DobYear "dob_year" 0.0068 NOT_CIVIL,
    /// One digit of the day is wrong.
    DobTypo "dob_typo" 0.0067 NOT_CIVIL,
    /// First of January.
    DobDefault "dob_default" 0.0061 NOT_CIVIL,
    /// Month and day exchanged.
    DobSwapped "dob_swapped" 0.0053 NOT_CIVIL,
    /// None.
    DobMissing "dob_missing" 0.0079 ANY,
    /// None.
    IdMissing "id_missing" 0.083 NO_CARD,
    /// Fifteen digits, as before 1999.
    Id15 "id_15" 0.0355 OLD_SYSTEM,
    /// One digit is wrong, so the check character is.
    IdWrongDigit "id_wrong_digit" 0.0073 ANY,
    /// Two neighbours exchanged.
    IdTransposed "id_transposed" 0.005 ANY,
    /// The husband's or wife's.
    IdOfSpouse "id_of_spouse" 0.0064 ANY,
    /// Another check character.
    IdWrongCheck "id_wrong_check" 0.0033 ANY,
    /// One character is missing.
    IdShort "id_short" 0.0027 ANY,
    /// A second valid number, given with the new division code.
    IdReissued "id_reissued" 0.0026 EVEN,
    /// Full width, spaces or a small x.
    IdFormat "id_format" 0.017 ANY,
    /// One digit is wrong.
    CardTypo "card_typo" 0.0047 ANY,
    /// A number nobody else of the household has.
    PhoneOther "phone_other" 0.039 ANY,
    /// Country code, hyphens, or a 0 before it.
    PhoneFormat "phone_format" 0.0265 ANY,
    /// Code and names of the division before it was renamed.
    AreaOldCode "area_old_code" 0.134 OLD_CODES,
    /// Written in the other way.
    AddrStyle "addr_style" 0.115 ANY,
    /// Where the elder lives by now, or lived before.
    AddrOther "addr_other" 0.0835 ANY,
}

/// The faults of one record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults(u64);

impl Faults {
    /// Adds one.
    pub fn add(&mut self, fault: Fault) {
        self.0 |= 1 << fault as u32;
    }

    /// Whether it is among them.
    pub const fn has(self, fault: Fault) -> bool {
        self.0 & (1 << fault as u32) != 0
    }

    /// All of them, in order.
    pub fn iter(self) -> impl Iterator<Item = Fault> {
        Fault::ALL.iter().copied().filter(move |fault| self.has(*fault))
    }
}
