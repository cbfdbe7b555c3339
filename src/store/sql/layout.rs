//! 表式, the tables of a schema as SQLite tells them of an empty file, and how any of them is read
//! and written whole, whichever database it lies in.

use std::path::Path;

use super::value::Value;
use super::{Connection, Kind, Optional, Result, sqlite};

/// A table of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    columns: Vec<String>,
    /// Which columns tell its rows apart, in the order of its rows.
    key: Vec<usize>,
    gives: Gives,
}

/// Whether a table gives its rows numbers by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gives {
    /// None.
    Nothing,
    /// One above the highest that is there.
    Next,
    /// One that no row ever had.
    Fresh,
}

/// The tables that these steps make.
pub fn tables(steps: &[&str]) -> Result<Vec<Table>> {
    let empty = sqlite::open(Path::new(":memory:"))?;
    steps.iter().try_for_each(|step| empty.execute_batch(step))?;
    let sql = "SELECT name, sql LIKE '%AUTOINCREMENT%' FROM sqlite_schema \
        WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name";
    let mut select = empty.prepare_cached(sql)?;
    let named = select.query_map([], |row| Ok((row.get::<String>(0)?, row.get::<bool>(1)?)))?;
    named.map(|table| table.and_then(|table| described(&empty, table))).collect()
}

fn described(empty: &Connection, (name, fresh): (String, bool)) -> Result<Table> {
    let sql = "SELECT name, type, pk FROM pragma_table_info(?1) ORDER BY cid";
    let mut select = empty.prepare_cached(sql)?;
    let rows = select.query_map([name.as_str()], |row| {
        Ok((row.get::<String>(0)?, row.get::<String>(1)?, row.get::<i64>(2)?))
    })?;
    let rows: Vec<_> = rows.collect::<Result<_>>()?;
    let mut key: Vec<usize> = (0..rows.len()).collect();
    if rows.iter().any(|row| row.2 > 0) {
        key.retain(|column| rows.get(*column).is_some_and(|row| row.2 > 0));
        key.sort_by_key(|column| rows.get(*column).map(|row| row.2));
    }
    let counted = rows.iter().filter(|row| row.2 > 0).all(|row| row.1 == "INTEGER");
    let gives = match key.len() {
        1 if counted && fresh => Gives::Fresh,
        1 if counted && rows.iter().any(|row| row.2 > 0) => Gives::Next,
        _ => Gives::Nothing,
    };
    let columns = rows.into_iter().map(|row| row.0).collect();
    Ok(Table { name, columns, key, gives })
}

impl Table {
    /// How many columns it has.
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// A page of its rows in the order of its key, from the first on or `after` one.
    pub fn page(&self, after: bool) -> String {
        let (all, key) = (quoted(&self.columns), quoted(&self.key_columns()));
        let (beyond, limit) = match after {
            true => (format!(" WHERE ({key}) > ({})", marks(self.key.len())), self.key.len() + 1),
            false => (String::new(), 1),
        };
        format!("SELECT {all} FROM \"{}\"{beyond} ORDER BY {key} LIMIT ?{limit}", self.name)
    }

    /// Of a row the values that tell it apart.
    pub fn key_of(&self, row: Vec<Value>) -> Vec<Value> {
        let mut row: Vec<_> = row.into_iter().map(Some).collect();
        let mut taken = |at: &usize| row.get_mut(*at).and_then(Option::take);
        self.key.iter().filter_map(&mut taken).collect()
    }

    /// Adds a row.
    pub fn insert(&self) -> String {
        let columns = quoted(&self.columns);
        format!("INSERT INTO \"{}\" ({columns}) VALUES ({})", self.name, marks(self.width()))
    }

    /// Takes out every row.
    pub fn clear(&self) -> String {
        format!("DELETE FROM \"{}\"", self.name)
    }

    /// How many rows it has.
    pub fn count(&self) -> String {
        format!("SELECT count(*) FROM \"{}\"", self.name)
    }

    fn key_columns(&self) -> Vec<String> {
        self.key.iter().filter_map(|at| self.columns.get(*at)).cloned().collect()
    }
}

impl Connection {
    /// The highest number a table has given; 0 where it gives none.
    pub fn last_given(&self, table: &Table) -> Result<i64> {
        if table.gives == Gives::Nothing {
            return Ok(0);
        }
        let (name, key) = (&table.name, quoted(&table.key_columns()));
        let highest = format!("SELECT coalesce(max({key}), 0) FROM \"{name}\"");
        let highest: i64 = self.query_row(&highest, [], |row| row.get(0))?;
        let given: Option<i64> = match &self.0 {
            Kind::Postgres(_) => {
                let sql = "SELECT pg_sequence_last_value(pg_get_serial_sequence(?1, ?2)::regclass)";
                let columns = table.key_columns();
                self.query_row(sql, (name, columns.first()), |row| row.get(0))?
            }
            Kind::Sqlite(_) => {
                let sql = "SELECT seq FROM sqlite_sequence WHERE name = ?1";
                self.query_row(sql, [name], |row| row.get(0)).optional()?
            }
        };
        Ok(highest.max(given.unwrap_or(0)))
    }

    /// Lets a table give none of the numbers up to this one again.
    pub fn give_after(&self, table: &Table, last: i64) -> Result<()> {
        if table.gives == Gives::Nothing || last == 0 {
            return Ok(());
        }
        let name = &table.name;
        match &self.0 {
            Kind::Postgres(_) => {
                let columns = table.key_columns();
                let sql = "SELECT setval(pg_get_serial_sequence(?1, ?2)::regclass, ?3)";
                self.query_row(sql, (name, columns.first(), last), |row| row.get::<i64>(0))?;
            }
            Kind::Sqlite(_) if table.gives == Gives::Fresh => {
                self.execute("DELETE FROM sqlite_sequence WHERE name = ?1", [name])?;
                self.execute("INSERT INTO sqlite_sequence VALUES (?1, ?2)", (name, last))?;
            }
            // One above the highest, by itself.
            Kind::Sqlite(_) => (),
        }
        Ok(())
    }
}

/// Names as both databases read them.
fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
}

fn marks(count: usize) -> String {
    (1..=count).map(|number| format!("?{number}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_in_the_order_of_its_key_and_counts_as_its_step_says() {
        let steps = [
            "CREATE TABLE a (x TEXT NOT NULL, y INTEGER NOT NULL, z BLOB, PRIMARY KEY (y, x)) \
             STRICT, WITHOUT ROWID; CREATE TABLE b (n INTEGER PRIMARY KEY AUTOINCREMENT) STRICT;",
            "CREATE TABLE c (n INTEGER PRIMARY KEY, m TEXT) STRICT; \
             CREATE TABLE d (m BLOB) STRICT;",
        ];
        let found = tables(&steps).unwrap();
        let gives = [Gives::Nothing, Gives::Fresh, Gives::Next, Gives::Nothing];
        assert_eq!(found.iter().map(|table| table.gives).collect::<Vec<_>>(), gives);
        assert_eq!(
            found[0].page(true),
            "SELECT \"x\", \"y\", \"z\" FROM \"a\" WHERE (\"y\", \"x\") > (?1, ?2) \
             ORDER BY \"y\", \"x\" LIMIT ?3"
        );
        assert_eq!(found[3].page(false), "SELECT \"m\" FROM \"d\" ORDER BY \"m\" LIMIT ?1");
        assert_eq!(found[2].insert(), "INSERT INTO \"c\" (\"n\", \"m\") VALUES (?1, ?2)");
    }
}
