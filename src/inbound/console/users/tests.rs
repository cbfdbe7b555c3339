//! The file of users, and what opens.

use super::*;

fn attempt(name: &str, password: &str, code: &str) -> Attempt {
    Attempt { name: name.to_owned(), password: password.to_owned(), code: code.to_owned() }
}

#[test]
fn a_password_and_a_code_open_and_one_of_them_does_not() {
    let mut users = Users::default();
    let told = users.add("lin", Role::Auditor, 0).unwrap();
    let code = told.secret.code(1_000);
    let proven = users.verify(&attempt("lin", &told.password, &code), 1_000).unwrap();
    assert_eq!((proven.roles, proven.step), (Role::Auditor.into(), 33));
    for (name, password, code) in [
        ("lin", told.password.as_str(), "000000"),
        ("lin", "", code.as_str()),
        ("lin", "wrong", &code),
        ("wen", &told.password, &code),
        ("", "", ""),
        ("nobody", "", ""),
    ] {
        assert_eq!(users.verify(&attempt(name, password, code), 1_000), None);
    }
}

#[test]
fn the_file_is_private_holds_no_password_and_reads_back() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("users.toml");
    assert_eq!(Users::read(&file).unwrap().iter().count(), 0);
    let mut users = Users::default();
    let told = users.add("lin", Role::Operator, 5).unwrap();
    users.write(&file).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    assert!(!text.contains(&told.password) && text.contains("$argon2id$"));
    let read = Users::read(&file).unwrap();
    assert_eq!(read.find("lin").unwrap().stamp(), users.find("lin").unwrap().stamp());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Users::read(&file), Err(UsersError::Open(_))));
    }
}

#[test]
fn a_reset_changes_password_secret_and_stamp() {
    let mut users = Users::default();
    let old = users.add("lin", Role::Auditor, 0).unwrap();
    let stamp = users.find("lin").unwrap().stamp();
    let fresh = users.reset("lin", 1).unwrap();
    assert_ne!(old.password, fresh.password);
    assert_ne!(stamp, users.find("lin").unwrap().stamp());
    assert!(users.verify(&attempt("lin", &old.password, &old.secret.code(0)), 0).is_none());
    assert!(matches!(users.reset("wen", 1), Err(UsersError::Unknown)));
    assert!(matches!(users.add("lin", Role::Auditor, 0), Err(UsersError::Exists)));
    users.remove("lin").unwrap();
    assert!(matches!(users.remove("lin"), Err(UsersError::Unknown)));
}

#[test]
fn of_many_changes_at_once_none_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("users.toml");
    std::thread::scope(|scope| {
        for number in 0..8 {
            let file = &file;
            let own = ("correct horse battery", Secret::draw().unwrap());
            scope.spawn(move || {
                let name = format!("u{number}");
                let add =
                    |users: &mut Users| users.add_with((&name, Role::Reviewer), (own.0, &own.1), 0);
                Users::change(file, add).unwrap();
                assert!(matches!(Users::change(file, add), Err(UsersError::Exists)));
            });
        }
    });
    let users = Users::read(&file).unwrap();
    assert_eq!(users.iter().count(), 8);
    assert!(users.hold(Role::Reviewer) && !users.hold(Role::Auditor));
}

#[test]
fn a_password_is_long_and_not_the_name() {
    for (password, good) in [
        ("correct horse battery", true),
        ("康桥三号楼的猫今天下午睡着了", true),
        ("short-one-1", false),
        ("aaaaaaaaaaaaaaaa", false),
        ("Zhanglin-2026!", false),
        (&"long ".repeat(26), false),
    ] {
        assert_eq!(is_password(password, "zhanglin"), good, "{password}");
    }
}

#[test]
fn a_name_nobody_can_type_wrongly_is_demanded() {
    let mut users = Users::default();
    for name in ["", "Lin", "林", "a b", "a:b", &"x".repeat(33)] {
        assert!(matches!(users.add(name, Role::Auditor, 0), Err(UsersError::Name)));
    }
}

#[test]
fn a_broken_file_is_named_by_its_line() {
    for (text, line) in [
        ("user = 1", 1),
        ("[[user]]\nname = \"lin\"\nrole = \"root\"", 3),
        ("[[user]]\nname=\"lin\"\nrole=\"auditor\"\nadded=1\npassword=\"x\"\ncode=\"y\"", 0),
    ] {
        assert_eq!(Users::parse(text).err(), Some(line));
    }
}
