//! Rows as a table on a terminal: columns as wide as their widest cell, and a Chinese character as
//! wide as two letters.

use unicode_width::UnicodeWidthStr;

/// The rows below their headings, a line each.
#[must_use]
pub fn columns<const N: usize>(headings: [&str; N], rows: Vec<[String; N]>) -> String {
    let rows: Vec<_> = std::iter::once(headings.map(str::to_owned)).chain(rows).collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.width().max(*width);
        }
    }
    let line = |row: &[String; N]| {
        let cells = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| [cell.as_str(), &" ".repeat(width - cell.width())].concat());
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_columns_run_together() {
        let rows = [["1", "人员 person"], ["1000", "x"]].map(|row| row.map(str::to_owned));
        let table = columns(["编号 number", "范围 whose"], rows.to_vec());
        assert_eq!(table, "编号 number  范围 whose\n1            人员 person\n1000         x");
    }
}
