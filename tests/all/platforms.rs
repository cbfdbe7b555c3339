//! Every message of the corpus of exchange services, where it is present, is read whole or
//! refused by name.

use std::path::Path;

use kangqiao::command::compile::pack;
use kangqiao::registry::v3::{Deed, Dialect, Request};
use kangqiao::translate::Form;
use kangqiao::translate::form::Limits;
use kangqiao::vocabulary::Source;

use crate::rig::{ROOT, skipped};

/// The public messages beside the repository.
const CORPUS: [&str; 2] = ["../shared/corpus/cda/v3msg", "../../shared/corpus/cda/v3msg"];

#[test]
fn every_message_of_the_corpus_is_read_whole_or_its_service_refused() {
    let mut found = CORPUS.iter().map(|path| std::fs::read_dir(Path::new(ROOT).join(path)));
    let Some(folder) = found.find_map(Result::ok) else {
        return skipped("no corpus of exchange messages");
    };
    let pack = pack(&Path::new(ROOT).join("mappings")).unwrap();
    let limits = Limits::default();
    let (mut read, mut asked, mut declined) = (0, 0, 0);
    for entry in folder {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).unwrap();
        let (dialect, form) = match name.starts_with("hip") {
            true => (Dialect::Hospital, Form::V3Hospital),
            false => (Dialect::Regional, Form::V3Regional),
        };
        let request = Request::read(dialect, &bytes, &limits.xml).unwrap();
        let service = request.service.unwrap_or_else(|| panic!("{name}: no such service"));
        match service.deed {
            Deed::Take | Deed::Store | Deed::Enter => {
                let found = pack.read((form, Source::fixed("corpus")), &bytes, &limits);
                let found = found.unwrap_or_else(|unread| panic!("{name}: {unread:?}"));
                for one in &found {
                    assert_eq!(one.bins.unmapped, 0, "{name}: {:?}", one.bins.first_unmapped);
                    assert!(one.bins.mapped > 2, "{name}: {:?}", one.bins);
                }
                read += 1;
            }
            Deed::FindPerson | Deed::FindDocuments | Deed::FetchDocuments | Deed::FindEntry => {
                asked += 1;
            }
            Deed::Decline => declined += 1,
        }
    }
    assert!(read >= 20 && asked >= 10 && declined >= 10, "{read} {asked} {declined}");
}
