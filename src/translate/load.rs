//! From files to a [`Pack`]: every file read, every fault named.

use std::collections::HashMap;

use serde::de::DeserializeOwned;
use toml::Spanned;

use super::cda::examples::ExamplesFile;
use super::civil::city::{City, CityFile};
use super::compile::{Compiler, Text};
use super::derive::{DerivedFile, Facts};
use super::document::{DocumentFile, DocumentPlan};
use super::examples::{Example, Kind};
use super::fhir::{FhirPlan, ResourceFile};
use super::file::{EventFile, ExampleText, IdentifiersFile, SegmentFile, SenderFile};
use super::path::segment_id;
use super::plan::{Hl7Plan, SegmentPlan};
use super::{Overlay, Pack};
use crate::vocabulary::catalogue::parse_toml;
use crate::vocabulary::{Catalogue, CodeTables, Diagnostic, Files, GroupName, Source};
use crate::wire::card::Layout;

/// Folders with a meaning of their own; any other holds documents.
const NOT_DIALECTS: &[&str] =
    &["cda", "cities", "codes", "derived", "elements", "fhir", "hl7v2", "senders"];

/// What is gathered over all files.
#[derive(Default)]
struct Gathered {
    hl7: Hl7Plan,
    documents: Vec<DocumentPlan>,
    fhir: FhirPlan,
    derived: Facts,
    overlays: HashMap<Source, Overlay>,
    cities: HashMap<Source, City>,
    card: Layout,
    examples: Vec<Example>,
}

/// Compiles a pack.
pub(super) fn load(files: &Files) -> Result<Pack, Vec<Diagnostic>> {
    let tables = CodeTables::load(files)?;
    let catalogue = Catalogue::load(files, &tables)?;
    let top = GroupName::parse("record")
        .map_err(|error| vec![Diagnostic::at("", "", 0, error.to_string())])?;
    let cda = super::cda::rows::load(files, &catalogue, &tables)?;
    let mut compiler = Compiler::new(&catalogue, &tables);
    compiler.systems = cda.systems_by_table();
    let mut gathered = Gathered::default();
    gathered.hl7(&mut compiler, files);
    gathered.documents(&mut compiler, files);
    gathered.cities(&mut compiler, files);
    gathered.card(&mut compiler, files);
    gathered.fhir(&mut compiler, files);
    gathered.cda(&mut compiler, files);
    gathered.derived(&mut compiler, files);
    gathered.senders(&mut compiler, files);
    let Compiler { places, faults, .. } = compiler;
    if !faults.is_empty() {
        return Err(faults);
    }
    let Gathered { hl7, documents, fhir, derived, overlays, cities, card, examples } = gathered;
    Ok(Pack {
        catalogue,
        tables,
        version: files.version(),
        top,
        hl7,
        documents,
        fhir,
        derived,
        cda,
        overlays,
        cities,
        card,
        no_habits: Overlay::default(),
        places,
        examples,
    })
}

impl Gathered {
    /// Segment tables first, since events name them.
    fn hl7(&mut self, compiler: &mut Compiler<'_>, files: &Files) {
        let (events, segments): (Vec<_>, Vec<_>) =
            files.under("hl7v2", "toml").partition(|path| stem(path).contains('_'));
        for path in segments {
            if stem(path) == "identifiers" {
                let read = parsed::<IdentifiersFile>(compiler, files, path);
                self.hl7.kinds.extend(read.into_iter().flat_map(|(_, file)| file.kinds));
                continue;
            }
            let read = parsed::<SegmentFile>(compiler, files, path);
            let plan = read.as_ref().and_then(|(text, file)| compiler.segment(*text, file));
            let (Some((text, file)), Some(plan)) = (read, plan) else {
                // Its faults are told; that events miss it would only repeat them.
                let id = segment_id(&stem(path).to_ascii_uppercase());
                let empty = |id| (id, SegmentPlan::empty(id).into());
                self.hl7.segments.extend(id.map(empty));
                continue;
            };
            self.keep_examples(compiler, (text, &Kind::Segment(plan.id)), &file.example);
            self.hl7.segments.insert(plan.id, plan.into());
        }
        for path in events {
            let Some((text, file)) = parsed::<EventFile>(compiler, files, path) else { continue };
            compiler.event(text, &file, &mut self.hl7);
            self.keep_examples(compiler, (text, &Kind::Event), &file.example);
        }
    }

    fn documents(&mut self, compiler: &mut Compiler<'_>, files: &Files) {
        let other = |path: &&str| {
            let folder = path.split('/').next().unwrap_or_default();
            path.contains('/') && !NOT_DIALECTS.contains(&folder)
        };
        for path in files.under("", "toml").filter(other) {
            let Some((text, file)) = parsed::<DocumentFile>(compiler, files, path) else {
                continue;
            };
            let Some(plan) = compiler.document(text, &file) else { continue };
            let taken = self
                .documents
                .iter()
                .any(|known| known.name == plan.name && known.dataset == plan.dataset);
            if taken {
                let message = format!("dialect {} has {} already", plan.name, plan.dataset);
                compiler.faults.push(text.fault(file.record.span(), message));
            }
            let kind = Kind::Dialect(plan.name.clone());
            self.keep_examples(compiler, (text, &kind), &file.example);
            self.documents.push(plan);
        }
    }

    fn cities(&mut self, compiler: &mut Compiler<'_>, files: &Files) {
        for path in files.under("cities", "toml") {
            let Some((text, file)) = parsed::<CityFile>(compiler, files, path) else { continue };
            let city = compiler.city(text, &file, &self.documents);
            let Some((source, city)) = city else { continue };
            self.keep_examples(compiler, (text, &Kind::City(source)), &file.example);
            self.cities.insert(source, city);
        }
    }

    fn card(&mut self, compiler: &mut Compiler<'_>, files: &Files) {
        for path in files.under("card", "csv") {
            let read = files.text(path).map_err(|fault| vec![fault]);
            match read.and_then(|text| Layout::parse(path, text)) {
                Ok(layout) => self.card = layout,
                Err(faults) => compiler.faults.extend(faults),
            }
        }
    }

    fn fhir(&mut self, compiler: &mut Compiler<'_>, files: &Files) {
        let begun = FhirPlan::begin(files);
        self.fhir = compiler.note(begun).unwrap_or_default();
        for path in files.under("fhir", "toml") {
            let Some((text, file)) = parsed::<ResourceFile>(compiler, files, path) else {
                continue;
            };
            compiler.resource(text, &file, &mut self.fhir);
            self.keep_examples(compiler, (text, &Kind::Fhir), &file.example);
        }
        compiler.references(&mut self.fhir);
    }

    /// The tables of shared documents are read before; here stand their examples.
    fn cda(&mut self, compiler: &mut Compiler<'_>, files: &Files) {
        for path in files.under("cda", "toml") {
            let Some((text, file)) = parsed::<ExamplesFile>(compiler, files, path) else {
                continue;
            };
            self.keep_examples(compiler, (text, &Kind::Cda), &file.example);
        }
    }

    fn derived(&mut self, compiler: &mut Compiler<'_>, files: &Files) {
        for path in files.under("derived", "toml") {
            let Some((text, file)) = parsed::<DerivedFile>(compiler, files, path) else { continue };
            compiler.facts(text, &file, &mut self.derived);
            self.keep_examples(compiler, (text, &Kind::Derived), &file.example);
        }
    }

    fn senders(&mut self, compiler: &mut Compiler<'_>, files: &Files) {
        for path in files.under("senders", "toml") {
            let Some((text, file)) = parsed::<SenderFile>(compiler, files, path) else { continue };
            let overlay = compiler.overlay(text, &file, &self.hl7);
            let before = self.examples.len();
            self.keep_examples(compiler, (text, &Kind::Event), &file.example);
            if let Some((source, _)) = &overlay {
                let own = self.examples.iter_mut().skip(before);
                own.for_each(|example| example.set_sender(*source));
            }
            self.overlays.extend(overlay);
        }
    }

    fn keep_examples(
        &mut self,
        compiler: &mut Compiler<'_>,
        (file, kind): (Text<'_>, &Kind),
        examples: &[Spanned<ExampleText>],
    ) {
        for example in examples {
            let example = Example::compile(file, kind, example);
            self.examples.extend(compiler.note(example));
        }
    }
}

/// `hl7v2/pid.toml` without folder and extension.
fn stem(path: &str) -> &str {
    path.rsplit('/').next().and_then(|name| name.strip_suffix(".toml")).unwrap_or(path)
}

/// One file by its shape; what is wrong with it is noted.
fn parsed<'f, T: DeserializeOwned>(
    compiler: &mut Compiler<'_>,
    files: &'f Files,
    path: &'f str,
) -> Option<(Text<'f>, T)> {
    let read = files.text(path).and_then(|text| Ok((Text { path, text }, parse_toml(path, text)?)));
    compiler.note(read)
}
