//! Values on their way to a PostgreSQL server and back.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use super::cell::{Cell, Params};

/// A value that is kept until it is sent.
pub enum Value {
    Blob(Vec<u8>),
    Integer(i64),
    Null,
    Real(f64),
    Text(String),
}

impl Value {
    /// As a statement takes it.
    pub fn cell(&self) -> Cell<'_> {
        match self {
            Self::Blob(bytes) => Cell::Blob(bytes),
            Self::Integer(number) => Cell::Integer(*number),
            Self::Null => Cell::Null,
            Self::Real(number) => Cell::Real(*number),
            Self::Text(text) => Cell::Text(text),
        }
    }
}

/// Values of a row that was read whole.
impl Params for &[Value] {
    fn each(&self, mut take: impl FnMut(Cell<'_>) -> super::Result<()>) -> super::Result<()> {
        self.iter().try_for_each(|value| take(value.cell()))
    }
}

impl From<Cell<'_>> for Value {
    fn from(cell: Cell<'_>) -> Self {
        match cell {
            Cell::Blob(bytes) => Self::Blob(bytes.to_vec()),
            Cell::Integer(number) => Self::Integer(number),
            Cell::Null => Self::Null,
            Cell::Real(number) => Self::Real(number),
            // Its texts hold every character but this one, which senders may write in a control
            // id: its picture stands for it, in what is kept and in what is looked for.
            Cell::Text(text) => Self::Text(text.replace('\0', "\u{2400}")),
        }
    }
}

/// Says of which kind it is, never what it holds: a client may log it.
impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Blob(_) => "Blob",
            Self::Integer(_) => "Integer",
            Self::Null => "Null",
            Self::Real(_) => "Real",
            Self::Text(_) => "Text",
        })
    }
}

type Encoded = Result<IsNull, Box<dyn Error + Sync + Send>>;

impl ToSql for Value {
    /// As the statement takes it: it may count in fewer bytes than we do.
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Encoded {
        match (self, kind) {
            (Self::Null, _) => return Ok(IsNull::Yes),
            (Self::Blob(bytes), &Type::BYTEA) => out.put_slice(bytes),
            (Self::Integer(number), &Type::INT8) => out.put_i64(*number),
            (Self::Integer(number), &Type::INT4) => out.put_i32((*number).try_into()?),
            (Self::Integer(number), &Type::INT2) => out.put_i16((*number).try_into()?),
            (Self::Integer(number), &Type::BOOL) => out.put_u8(u8::from(*number != 0)),
            (Self::Real(number), &Type::FLOAT8) => out.put_f64(*number),
            (Self::Text(text), &Type::TEXT) => out.put_slice(text.as_bytes()),
            _ => return Err("a value of another kind than the statement takes".into()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// A value as it came.
pub struct Came<'a>(pub Cell<'a>);

impl<'a> FromSql<'a> for Came<'a> {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(match *kind {
            Type::BYTEA => Cell::Blob(raw),
            Type::INT8 => Cell::Integer(i64::from_sql(kind, raw)?),
            Type::INT4 => Cell::Integer(i32::from_sql(kind, raw)?.into()),
            Type::INT2 => Cell::Integer(i16::from_sql(kind, raw)?.into()),
            Type::BOOL => Cell::Integer(bool::from_sql(kind, raw)?.into()),
            Type::FLOAT8 => Cell::Real(f64::from_sql(kind, raw)?),
            _ => Cell::Text(<&str>::from_sql(kind, raw)?),
        }))
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(Cell::Null))
    }

    fn accepts(kind: &Type) -> bool {
        [Type::BYTEA, Type::INT8, Type::INT4, Type::INT2, Type::BOOL, Type::FLOAT8].contains(kind)
            || <&str as FromSql>::accepts(kind)
    }
}
