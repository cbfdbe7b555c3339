//! `kangqiao identity`: files of records in, persons out; clear or veiled, in any order.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

const HEADER: &str = "rec_id,source,local_id,name,sex,birth_date,id_no,health_card_no,phone,\
                      area_code,address,ethnicity";
/// A man in four systems, his wife with his number, his twin, a namesake, and a stranger.
const ROWS: [&str; 9] = [
    "R9,EHR,1,王国强,1,1948-03-15,410105194803150216,A1001,13837123344,410105,健康路15号3号楼201室,汉",
    "R2,CIV,1,王國强,男,1948-03-15,410105480315021,,,410105,,",
    "R3,HOSP_A,7,WANG GUOQIANG,M,19480423,,A1001,,,健康路15-3-201,",
    "R4,HOSP_B,8,王□强,1,1948-03-15,41010519480315216,,+86 138-3712-3344,410105,,",
    "R5,CIV,2,陈玉兰,2,1950-07-28,410105194803150216,,13837123344,410105,健康路15号3号楼201室,",
    "R6,CIV,3,王国富,1,1948-03-15,410105194803150435,,13837123344,410105,健康路15号3号楼201室,",
    "R7,CIV,4,王国强,1,1948-03-15,,,,372522,,",
    "R8,EHR,5,赵建军,1,1955-01-02,,,,372522,,",
    "R1,HOSP_A,9,\"赵,建军\",1,1955-01-02,,,15900001111,372522,,",
];

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, header: &str, rows: &[&str]) {
        let text = header.to_owned() + "\n" + &rows.join("\n") + "\n";
        std::fs::write(self.path().join(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kangqiao"));
        command.arg("identity").args(words).current_dir(self.path()).output().unwrap()
    }

    /// What a command prints; it must succeed.
    fn prints(&self, words: &[&str]) -> String {
        let output = self.run(words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{words:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a command says that must not succeed.
    fn refused(&self, words: &[&str]) -> String {
        let output = self.run(words);
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert!(output.stdout.is_empty() || words[0] == "veil", "{words:?} printed something");
        String::from_utf8(output.stderr).unwrap()
    }
}

/// The rows of an answer in the order of their names.
fn sorted(text: &str) -> Vec<&str> {
    let mut rows: Vec<_> = text.lines().collect();
    rows.sort_unstable();
    rows
}

#[test]
fn records_of_one_person_are_named_by_the_least_of_them() {
    let folder = Folder::new();
    folder.write("a.csv", HEADER, &ROWS);
    let printed = folder.prints(&["match", "a.csv", "--review", "look.csv"]);
    let expect = "rec_id,person\nR9,R2\nR2,R2\nR3,R2\nR4,R2\nR5,R5\nR6,R6\nR7,R7\nR8,R8\nR1,R1\n";
    assert_eq!(printed, expect);
    let review = folder.read("look.csv");
    let mut lines = review.lines();
    assert_eq!(lines.next(), Some("rec_id_1,rec_id_2,weight,rule,reasons"));
    assert!(lines.clone().any(|line| {
        line.starts_with("R1,R8,") && line.contains(",name-and-birthday,") && line.contains("name=")
    }));
    let weights: Vec<f64> =
        lines.map(|line| line.split(',').nth(2).unwrap().parse().unwrap()).collect();
    assert!(weights.is_sorted_by(|a, b| a >= b), "{weights:?}");
    for value in ["王", "1948", "4101", "健康"] {
        assert!(!review.contains(value), "{value} is in the review file");
    }
}

#[test]
fn the_order_of_rows_and_columns_changes_nothing() {
    let folder = Folder::new();
    folder.write("a.csv", HEADER, &ROWS);
    let first = folder.prints(&["match", "a.csv", "--review", "a.look", "--likely"]);
    let mut rows = ROWS;
    for round in 1..4 {
        rows.rotate_left(round);
        rows.swap(0, 4);
        folder.write("b.csv", &format!("\u{feff}{HEADER}"), &rows);
        let again = folder.prints(&["match", "b.csv", "--review", "b.look", "--likely"]);
        assert_eq!(sorted(&first), sorted(&again));
        assert_eq!(folder.read("a.look"), folder.read("b.look"));
        let order: Vec<_> = again.lines().skip(1).filter_map(|row| row.split(',').next()).collect();
        let given: Vec<_> = rows.iter().filter_map(|row| row.split(',').next()).collect();
        assert_eq!(order, given);
    }
    folder.write("c.csv", "phone,more,birth_date,name,rec_id", &["1,x,1948-03-15,王国强,R1"]);
    assert_eq!(folder.prints(&["match", "c.csv"]), "rec_id,person\nR1,R1\n");
}

#[test]
fn tokens_alone_give_the_same_persons() {
    let folder = Folder::new();
    folder.write("a.csv", HEADER, &ROWS);
    let veiled = folder.prints(&["veil", "a.csv", "--key-file", "veil.key"]);
    let mode = std::fs::metadata(folder.path().join("veil.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(folder.read("veil.key").trim().len(), 64);
    for value in ["王", "WANG", "1948", "4101", "健康", "A1001", "1383712", "HOSP"] {
        assert!(!veiled.contains(value), "{value} is in the veiled file");
    }
    assert_eq!(veiled, folder.prints(&["veil", "a.csv", "--key-file", "veil.key"]));
    assert_ne!(veiled, folder.prints(&["veil", "a.csv", "--key-file", "other.key"]));
    std::fs::write(folder.path().join("b.csv"), &veiled).unwrap();
    for more in [&[][..], &["--likely"]] {
        let clear = folder.prints(&[&["match", "a.csv", "--review", "a.look"], more].concat());
        let blind = folder.prints(&[&["match", "b.csv", "--review", "b.look"], more].concat());
        assert_eq!(clear, blind);
        assert_eq!(folder.read("a.look"), folder.read("b.look"));
    }
    let said = folder.refused(&["veil", "b.csv", "--key-file", "veil.key"]);
    assert!(said.contains("veiled already"), "{said}");
}

#[test]
fn weights_are_learned_once_and_used_again() {
    let folder = Folder::new();
    folder.write("a.csv", HEADER, &ROWS);
    let weighed = ["match", "a.csv", "--weights", "w.json", "--key-file", "veil.key"];
    let first = folder.prints(&weighed);
    let learned = folder.read("w.json");
    assert!(serde_json::from_str::<serde_json::Value>(&learned).is_ok());
    assert_eq!(first, folder.prints(&weighed));
    assert_eq!(learned, folder.read("w.json"));
    let said = folder.refused(&["match", "a.csv", "--weights", "w.json"]);
    assert!(said.contains("--key-file"), "{said}");
    std::fs::write(folder.path().join("w.json"), "{}").unwrap();
    let said = folder.refused(&weighed);
    assert!(said.contains("w.json: does not hold weights"), "{said}");
}

#[test]
fn a_file_that_is_none_is_refused_by_its_line() {
    let folder = Folder::new();
    for (header, rows, said) in [
        ("source,name", &["EHR,王兰"][..], "a.csv:1: no column rec_id"),
        ("rec_id,colour", &["R1,red"], "a.csv:1: none of the columns"),
        ("rec_id,name,name", &["R1,a,b"], "a.csv:1: column name stands there twice"),
        ("rec_id,name", &["R1,王兰", "R2"], "a.csv:3: has 1 fields, the header 2"),
        ("rec_id,name", &["R1,王兰", "R2,王兰", "R1,王兰"], "a.csv:4: rec_id stands there before"),
        ("rec_id,name", &["R1,王兰", ",王兰"], "a.csv:3: no rec_id"),
        ("rec_id,name", &["R1,\"王兰", "R2,赵"], "a.csv:2: a field that does not end in its line"),
        ("rec_id,tokens", &["R1,王兰"], "a.csv:2: no tokens of a record"),
        ("rec_id,tokens", &["R1,AAAA"], "a.csv:2: no tokens of a record"),
        ("", &[], "a.csv:1: no column rec_id"),
    ] {
        folder.write("a.csv", header, rows);
        let found = folder.refused(&["match", "a.csv"]);
        assert!(found.contains(said), "{found}");
        assert!(!found.contains("王兰"), "{found}");
    }
    std::fs::write(folder.path().join("a.csv"), b"rec_id,name\nR1,\xcd\xf5\xc0\xbc\n").unwrap();
    let said = folder.refused(&["match", "a.csv"]);
    assert!(said.contains("a.csv:2: is not UTF-8"), "{said}");
    assert!(folder.refused(&["match", "none.csv"]).contains("none.csv: "));
    folder.write("a.csv", "rec_id,name", &[]);
    assert_eq!(folder.prints(&["match", "a.csv"]), "rec_id,person\n");
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    let folder = Folder::new();
    folder.write("a.csv", HEADER, &ROWS);
    let key = folder.path().join("veil.key");
    std::fs::write(&key, "00".repeat(32)).unwrap();
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    let said = folder.refused(&["veil", "a.csv", "--key-file", "veil.key"]);
    assert!(said.contains("chmod 600"), "{said}");
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
    folder.prints(&["veil", "a.csv", "--key-file", "veil.key"]);
    std::fs::write(&key, "00".repeat(31)).unwrap();
    let said = folder.refused(&["veil", "a.csv", "--key-file", "veil.key"]);
    assert!(said.contains("64 hexadecimal digits"), "{said}");
}
