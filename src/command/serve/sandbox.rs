//! What the walls around a serving gateway leave it: what its configuration names, and no more.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use metrics::gauge;
use reqwest::Url;

use crate::command::Failure;
use crate::config::Config;
use crate::config::places::Place;
use crate::sandbox::{self, Bounds, Mode};
use crate::store::backup;

/// Where Debian keeps the fonts a history is printed in.
const FONTS: &str = "/usr/share/fonts";

/// Confines this process, which has one thread yet, and says loudly what this kernel cannot do.
///
/// # Errors
/// [`Failure`] if it is to be confined wholly and cannot be.
pub fn enter(config: &Config) -> Result<Option<Bounds>, Failure> {
    let during = |error: &dyn std::error::Error| Failure::caused("sandbox", error);
    make_folders(config)?;
    let bounds = bounds(config);
    let walls = sandbox::enter(&bounds, config.sandbox).map_err(|error| during(&error))?;
    let missing = walls.missing().join(", ");
    match (config.sandbox, walls.all()) {
        (Mode::Off, _) => {
            tracing::warn!("sandbox = \"off\": the process may do whatever its user may");
            return Ok(None);
        }
        (_, false) => tracing::warn!(missing, "this kernel cannot confine the process wholly"),
        (_, true) => tracing::info!("confined to its folders, its ports and itself"),
    }
    Ok(walls.files.then_some(bounds))
}

/// Tells the metrics which walls stand.
pub fn show() {
    for (wall, stands) in sandbox::standing().each() {
        gauge!("kangqiao_sandbox", "wall" => wall).set(f64::from(u8::from(stands)));
    }
}

/// What a configuration asks for.
#[must_use]
pub fn bounds(config: &Config) -> Bounds {
    let mut config = config.clone();
    let mut bounds = Bounds::default();
    bounds.read_file(&config.file);
    bounds.read(Path::new(FONTS));
    for (place, path) in config.places() {
        match place {
            Place::ChangedFile => bounds.change_file(path),
            Place::ChangedFolder | Place::TheirFolder => bounds.change(path),
            Place::File => bounds.read_file(path),
            Place::Folder => bounds.read(path),
        }
    }
    bounds.listens.extend(config.doors().iter().map(|door| door.port()));
    let urls = config.upstream.iter().map(|one| Some(&one.url));
    let urls = urls.chain(config.witness.iter().map(|one| Some(&one.url)));
    let openid = config.console.as_ref().and_then(|console| console.openid.as_ref());
    let urls = urls.chain([openid.map(|openid| &openid.issuer)]);
    let port = |url: &String| Url::parse(url).ok()?.port_or_known_default();
    bounds.connects.extend(urls.flatten().filter_map(port));
    let told = config.told().filter_map(|(_, to)| to.address());
    bounds.connects.extend(told.filter_map(|to| to.rsplit_once(':')?.1.parse::<u16>().ok()));
    bounds.connects.extend(config.audit_sink.iter().map(|sink| sink.port));
    bounds.connects.extend(config.store.postgres.iter().map(|database| database.port));
    bounds.connects.extend(config.table.iter().map(|table| table.database.port));
    bounds.connects.extend(config.inquiry_table.iter().map(|table| table.database.port));
    bounds
}

/// A folder that is not there cannot be left to anybody: the first start makes its own.
fn make_folders(config: &Config) -> Result<(), Failure> {
    let mut config = config.clone();
    let own = config.places().into_iter().filter_map(|(place, path)| match place {
        Place::ChangedFile => path.parent().map(Path::to_owned),
        Place::ChangedFolder => Some(path.clone()),
        Place::File | Place::Folder | Place::TheirFolder => None,
    });
    let unmade = own.filter(|folder| !folder.as_os_str().is_empty() && !folder.exists());
    unmade.into_iter().try_for_each(|folder| {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        // Its name too is to outlive the power: what is in it may be promised soon.
        let made = made.and_then(|()| backup::sync(&folder));
        made.map_err(|error| Failure::during(&folder.display().to_string(), error))
    })
}
