//! Who may sign in: a file that `kangqiao user` and opened invitations write and only its owner
//! reads.
//!
//! Shape: TOML, one `[[user]]` a person with `name`, `role`, `password` (an argon2id
//! hash), `code` (the secret of the one-time codes) and `added` (unix seconds).
//! There is no default user and no default password: without the file nobody signs in.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use aws_lc_rs::rand;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::access::{Role, Roles};
use super::code::{Secret, base32};

const FILE_BYTES_MAX: u64 = 1 << 20;
const ISSUER: &str = "Kangqiao";
/// Characters of a password somebody chose: long enough to be no word, short enough to hash.
pub const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 12..=128;
/// How many of its characters differ at least.
const PASSWORD_DIFFERENT_MIN: usize = 6;

/// Why the users file cannot be used. Names the file, never its content.
#[derive(Debug, thiserror::Error)]
pub enum UsersError {
    /// Somebody has that name already.
    #[error("there is a user of that name already")]
    Exists,
    /// The file is not there or cannot be read or written.
    #[error("{}: cannot be read or written", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A name that is not one.
    #[error("a user name is 1 to 32 of the characters a-z 0-9 . - _")]
    Name,
    /// Others than its owner may read it.
    #[error("{}: readable by others than its owner; chmod 600", .0.display())]
    Open(PathBuf),
    /// The system gave no random numbers, or hashing failed.
    #[error("the system cannot make a password")]
    Random,
    /// It is not a users file.
    #[error("{}: not a users file, line {line}", file.display())]
    Shape {
        /// The file.
        file: PathBuf,
        /// Where it goes wrong, from 1; 0 if a secret or name is odd.
        line: usize,
    },
    /// Nobody has that name.
    #[error("there is no user of that name")]
    Unknown,
}

/// One person who may sign in.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Shape: 1 to 32 of `a-z 0-9 . - _`.
    pub name: String,
    /// What the person may see.
    pub role: Roles,
    /// When the person was added or the password reset, unix seconds.
    pub added: u64,
    password: String,
    code: String,
}

/// What a new user is told, once.
pub struct Enrolment {
    /// The password; it is stored nowhere.
    pub password: String,
    /// The secret of the one-time codes.
    pub secret: Secret,
    /// The same for an authenticator application, as a link.
    pub uri: String,
}

/// What somebody typed at the door.
pub struct Attempt {
    /// Name.
    pub name: String,
    /// Password.
    pub password: String,
    /// One-time code.
    pub code: String,
}

/// A person whose password and code were right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// Name.
    pub name: String,
    /// What the person may see.
    pub roles: Roles,
    /// What the line of the file is; see [`User::stamp`].
    pub stamp: [u8; 32],
    /// The step of the code, so that it is taken once.
    pub step: u64,
}

/// All who may sign in, by name.
#[derive(Clone, Default)]
pub struct Users(BTreeMap<String, User>);

#[derive(Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Content {
    #[serde(default)]
    user: Vec<User>,
}

/// Stands for whoever does not exist, so that an unknown name costs the same time.
static NOBODY: LazyLock<Option<User>> = LazyLock::new(|| {
    let (user, _) = User::enrol("nobody", Role::Operator.into(), 0).ok()?;
    Some(user)
});

/// Makes the stand-in for unknown names now; else the first attempt would cost twice the time.
pub fn prepare() {
    LazyLock::force(&NOBODY);
}

impl User {
    /// A digest over the whole line: it changes with role, password and secret.
    #[must_use]
    pub fn stamp(&self) -> [u8; 32] {
        let role = self.role.to_string();
        let parts = [self.name.as_str(), &role, &self.password, &self.code];
        Sha256::digest(parts.join("\n").as_bytes()).into()
    }

    fn enrol(name: &str, role: Roles, now: u64) -> Result<(Self, Enrolment), UsersError> {
        let mut bytes = [0; 15];
        rand::fill(&mut bytes).map_err(|_| UsersError::Random)?;
        // 100 of 120 bits: four groups of five letters are still typed without a mistake.
        let letters: Vec<char> = base32(&bytes).to_lowercase().chars().take(20).collect();
        let groups: Vec<String> = letters.chunks(5).map(|group| group.iter().collect()).collect();
        let password = groups.join("-");
        let secret = Secret::draw().map_err(|_| UsersError::Random)?;
        let user = Self::with(name, role, (&password, &secret), now)?;
        let uri = link(name, &secret);
        Ok((user, Enrolment { password, secret, uri }))
    }

    fn with(
        name: &str,
        role: Roles,
        (password, secret): (&str, &Secret),
        now: u64,
    ) -> Result<Self, UsersError> {
        let hash: argon2::PasswordHash =
            Argon2::default().hash_password(password.as_bytes()).map_err(|_| UsersError::Random)?;
        let (name, password, code) = (name.to_owned(), hash.to_string(), secret.disclose());
        Ok(Self { name, role, added: now, password, code })
    }
}

/// A secret for an authenticator application.
#[must_use]
pub fn link(name: &str, secret: &Secret) -> String {
    let code = secret.disclose();
    format!("otpauth://totp/{ISSUER}:{name}?secret={code}&issuer={ISSUER}&digits=6&period=30")
}

/// Whether a password somebody chose is one: long, not one letter again and again, and not the
/// name. Nothing is demanded of its kinds of characters, which only makes passwords alike.
#[must_use]
pub fn is_password(password: &str, name: &str) -> bool {
    let different: std::collections::BTreeSet<char> = password.chars().collect();
    PASSWORD_CHARS.contains(&password.chars().count())
        && different.len() >= PASSWORD_DIFFERENT_MIN
        && !(name.len() >= 4 && password.to_lowercase().contains(name))
}

impl Users {
    /// Reads the file; one that is not there has no users.
    ///
    /// # Errors
    /// [`UsersError`] if others may read it, or it is not a users file.
    pub fn read(file: &Path) -> Result<Self, UsersError> {
        let text = match private_text(file) {
            Err(UsersError::File { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                return Ok(Self::default());
            }
            other => other?,
        };
        Self::parse(&text).map_err(|line| UsersError::Shape { file: file.to_owned(), line })
    }

    /// Writes the file anew, readable by its owner alone; a reader sees the old or the new.
    ///
    /// # Errors
    /// [`UsersError::File`].
    pub fn write(&self, file: &Path) -> Result<(), UsersError> {
        let failed = |source| UsersError::File { file: file.to_owned(), source };
        let content = Content { user: self.0.values().cloned().collect() };
        let text =
            toml::to_string(&content).map_err(|error| failed(std::io::Error::other(error)))?;
        let beside = file.with_extension("new");
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let _ = fs::remove_file(&beside);
        let mut open = options.open(&beside).map_err(failed)?;
        open.write_all(
            b"# Console users. Written by kangqiao alone, readable by its owner alone.\n",
        )
        .and_then(|()| open.write_all(text.as_bytes()))
        .and_then(|()| open.sync_all())
        .and_then(|()| fs::rename(&beside, file))
        .map_err(failed)
    }

    /// Reads the file, changes it and writes it, one after the other: of two who change it at
    /// once neither loses what he did.
    ///
    /// # Errors
    /// [`UsersError`] of the file or of the change; then nothing is written.
    pub fn change<T>(
        file: &Path,
        change: impl FnOnce(&mut Self) -> Result<T, UsersError>,
    ) -> Result<T, UsersError> {
        let failed = |source| UsersError::File { file: file.to_owned(), source };
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        // The folder is locked, since the file is another one after each change.
        let folder = File::open(folder.unwrap_or(Path::new("."))).map_err(failed)?;
        folder.lock().map_err(failed)?;
        let mut users = Self::read(file)?;
        let told = change(&mut users)?;
        users.write(file)?;
        Ok(told)
    }

    /// Everybody, by name.
    pub fn iter(&self) -> impl Iterator<Item = &User> {
        self.0.values()
    }

    /// The user of a name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&User> {
        self.0.get(name)
    }

    /// Adds a user with a fresh password and secret.
    ///
    /// # Errors
    /// [`UsersError::Exists`], [`UsersError::Name`].
    pub fn add(
        &mut self,
        name: &str,
        roles: impl Into<Roles>,
        now: u64,
    ) -> Result<Enrolment, UsersError> {
        self.free(name)?;
        let (user, enrolment) = User::enrol(name, roles.into(), now)?;
        self.0.insert(name.to_owned(), user);
        Ok(enrolment)
    }

    /// Adds a user with a password and secret of the user's own.
    ///
    /// # Errors
    /// [`UsersError::Exists`], [`UsersError::Name`].
    pub fn add_with(
        &mut self,
        (name, role): (&str, Role),
        own: (&str, &Secret),
        now: u64,
    ) -> Result<(), UsersError> {
        self.free(name)?;
        let user = User::with(name, role.into(), own, now)?;
        self.0.insert(name.to_owned(), user);
        Ok(())
    }

    /// Whether a name is one, and nobody's yet.
    ///
    /// # Errors
    /// [`UsersError::Exists`], [`UsersError::Name`].
    pub fn free(&self, name: &str) -> Result<(), UsersError> {
        match (is_name(name), self.0.contains_key(name)) {
            (false, _) => Err(UsersError::Name),
            (true, true) => Err(UsersError::Exists),
            (true, false) => Ok(()),
        }
    }

    /// Whether anybody is that.
    #[must_use]
    pub fn hold(&self, role: Role) -> bool {
        self.iter().any(|user| user.role.has(role))
    }

    /// Gives a user a fresh password and secret; sessions of the old ones end.
    ///
    /// # Errors
    /// [`UsersError::Unknown`].
    pub fn reset(&mut self, name: &str, now: u64) -> Result<Enrolment, UsersError> {
        let user = self.0.get_mut(name).ok_or(UsersError::Unknown)?;
        let (fresh, enrolment) = User::enrol(name, user.role, now)?;
        *user = fresh;
        Ok(enrolment)
    }

    /// Removes a user; the user's sessions end.
    ///
    /// # Errors
    /// [`UsersError::Unknown`].
    pub fn remove(&mut self, name: &str) -> Result<(), UsersError> {
        self.0.remove(name).map(|_| ()).ok_or(UsersError::Unknown)
    }

    /// Checks password and code near a moment in unix seconds. Slow on purpose.
    ///
    /// Hash and code are computed whether or not there is such a user and whether or
    /// not the password is right, so that neither can be told from the time taken.
    #[must_use]
    pub fn verify(&self, attempt: &Attempt, now: u64) -> Option<Proven> {
        let user = self.0.get(&attempt.name);
        let compared = user.or(NOBODY.as_ref())?;
        let password = Argon2::default()
            .verify_password(attempt.password.as_bytes(), compared.password.as_str())
            .is_ok();
        let step = Secret::parse(&compared.code)?.step(&attempt.code, now);
        match (user, password, step) {
            (Some(user), true, Some(step)) => {
                let (name, roles, stamp) = (user.name.clone(), user.role, user.stamp());
                Some(Proven { name, roles, stamp, step })
            }
            _ => None,
        }
    }

    /// The users of a text, or the line that is wrong.
    fn parse(text: &str) -> Result<Self, usize> {
        let content: Content = toml::from_str(text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            text.get(..offset).unwrap_or_default().matches('\n').count() + 1
        })?;
        let mut users = BTreeMap::new();
        for user in content.user {
            let sound = is_name(&user.name)
                && user.password.starts_with("$argon2id$")
                && Secret::parse(&user.code).is_some();
            if !sound || users.insert(user.name.clone(), user).is_some() {
                return Err(0);
            }
        }
        Ok(Self(users))
    }
}

/// What a file says that its owner alone may read.
///
/// # Errors
/// [`UsersError`] if others may read it, or it cannot be read.
pub fn private_text(file: &Path) -> Result<String, UsersError> {
    let failed = |source| UsersError::File { file: file.to_owned(), source };
    let open = File::open(file).map_err(failed)?;
    if !is_private(&open.metadata().map_err(failed)?) {
        return Err(UsersError::Open(file.to_owned()));
    }
    let mut text = String::new();
    open.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// Whether it is a name of the users file; one of a provider never is.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
    (1..=32).contains(&name.len()) && name.bytes().all(allowed)
}

#[cfg(unix)]
fn is_private(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 == 0
}

#[cfg(not(unix))]
fn is_private(_metadata: &fs::Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests;
