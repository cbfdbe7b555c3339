//! Values of columns, and what of ours can be one.

use super::{Error, Result};

/// One value of a row.
#[derive(Debug, Clone, Copy)]
pub enum Cell<'a> {
    /// Bytes.
    Blob(&'a [u8]),
    /// A whole number; a truth is 0 or 1.
    Integer(i64),
    /// Nothing.
    Null,
    /// A number.
    Real(f64),
    /// Text.
    Text(&'a str),
}

/// What can be handed to a statement.
pub trait ToSql {
    /// As a value.
    fn cell(&self) -> Cell<'_>;
}

/// What can be read from a row.
pub trait FromSql: Sized {
    /// What a value says; `None` if it is of another kind.
    fn read(cell: Cell<'_>) -> Option<Self>;
}

/// The values of a statement, in the order of their numbers.
pub trait Params {
    /// Hands over each.
    fn each(&self, take: impl FnMut(Cell<'_>) -> Result<()>) -> Result<()>;
}

/// Whole numbers that always fit, and are looked at when they are read.
macro_rules! integers {
    ($($integer:ty),+) => {$(
        impl ToSql for $integer {
            fn cell(&self) -> Cell<'_> {
                Cell::Integer(i64::from(*self))
            }
        }

        impl FromSql for $integer {
            fn read(cell: Cell<'_>) -> Option<Self> {
                match cell {
                    Cell::Integer(number) => number.try_into().ok(),
                    _ => None,
                }
            }
        }
    )+};
}

integers!(i64, i32, u32, u8);

impl ToSql for bool {
    fn cell(&self) -> Cell<'_> {
        Cell::Integer(i64::from(*self))
    }
}

impl FromSql for bool {
    fn read(cell: Cell<'_>) -> Option<Self> {
        i64::read(cell).map(|number| number != 0)
    }
}

impl ToSql for f64 {
    fn cell(&self) -> Cell<'_> {
        Cell::Real(*self)
    }
}

impl FromSql for f64 {
    fn read(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Real(number) => Some(number),
            _ => None,
        }
    }
}

impl ToSql for str {
    fn cell(&self) -> Cell<'_> {
        Cell::Text(self)
    }
}

impl ToSql for String {
    fn cell(&self) -> Cell<'_> {
        Cell::Text(self)
    }
}

impl FromSql for String {
    fn read(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Text(text) => Some(text.to_owned()),
            _ => None,
        }
    }
}

impl ToSql for [u8] {
    fn cell(&self) -> Cell<'_> {
        Cell::Blob(self)
    }
}

impl ToSql for Vec<u8> {
    fn cell(&self) -> Cell<'_> {
        Cell::Blob(self)
    }
}

impl FromSql for Vec<u8> {
    fn read(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Blob(bytes) => Some(bytes.to_vec()),
            _ => None,
        }
    }
}

impl<const N: usize> ToSql for [u8; N] {
    fn cell(&self) -> Cell<'_> {
        Cell::Blob(self)
    }
}

impl<const N: usize> FromSql for [u8; N] {
    fn read(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Blob(bytes) => bytes.try_into().ok(),
            _ => None,
        }
    }
}

impl<T: ToSql> ToSql for Option<T> {
    fn cell(&self) -> Cell<'_> {
        self.as_ref().map_or(Cell::Null, T::cell)
    }
}

impl<T: FromSql> FromSql for Option<T> {
    fn read(cell: Cell<'_>) -> Option<Self> {
        match cell {
            Cell::Null => Some(None),
            cell => T::read(cell).map(Some),
        }
    }
}

impl<T: ToSql + ?Sized> ToSql for &T {
    fn cell(&self) -> Cell<'_> {
        T::cell(self)
    }
}

/// No values.
impl Params for [&dyn ToSql; 0] {
    fn each(&self, _: impl FnMut(Cell<'_>) -> Result<()>) -> Result<()> {
        Ok(())
    }
}

/// As many as there are.
impl Params for &[&dyn ToSql] {
    fn each(&self, mut take: impl FnMut(Cell<'_>) -> Result<()>) -> Result<()> {
        self.iter().try_for_each(|value| take(value.cell()))
    }
}

/// Values of one kind; of none nobody could say which.
macro_rules! arrays {
    ($($count:literal),+) => {$(
        impl<T: ToSql> Params for [T; $count] {
            fn each(&self, mut take: impl FnMut(Cell<'_>) -> Result<()>) -> Result<()> {
                self.iter().try_for_each(|value| take(value.cell()))
            }
        }
    )+};
}

arrays!(1, 2, 3, 4);

macro_rules! tuples {
    ($(($($kind:ident $at:tt),+);)+) => {$(
        impl<$($kind: ToSql),+> Params for ($($kind,)+) {
            fn each(&self, mut take: impl FnMut(Cell<'_>) -> Result<()>) -> Result<()> {
                $(take(self.$at.cell())?;)+
                Ok(())
            }
        }
    )+};
}

tuples! {
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
    (A 0, B 1, C 2, D 3, E 4);
    (A 0, B 1, C 2, D 3, E 4, F 5);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13);
}

/// The value of a column as what was asked for.
pub(super) fn read<T: FromSql>(column: usize, cell: Cell<'_>) -> Result<T> {
    T::read(cell).ok_or(Error::Column(column))
}
