fn main() {
    let files = kangqiao::config::files::read_folder(std::path::Path::new("mappings")).unwrap();
    let pack = match kangqiao::translate::Pack::load(&files) {
        Ok(p) => p,
        Err(e) => {
            for f in e {
                println!("{f}")
            }
            return;
        }
    };
    let src = kangqiao::vocabulary::Source::parse("x").unwrap();
    let verbose = std::env::args().len() == 2;
    for p in std::env::args().skip(1) {
        let b = std::fs::read(&p).unwrap();
        let name = p.rsplit('/').next().unwrap();
        match pack.read_cda(src, &b, &kangqiao::wire::xml::Limits::default()) {
            Err(e) => println!("{name} REFUSED {} {}", e.fault.row().name, e.at),
            Ok(t) => {
                println!(
                    "{name} {} m{} c{} d{} u{} groups{} notes{}",
                    t.record.dataset,
                    t.bins.mapped,
                    t.bins.carried,
                    t.bins.dropped,
                    t.bins.unmapped,
                    t.record.groups.len(),
                    t.bins.notes.len()
                );
                if verbose {
                    println!(
                        "{}",
                        serde_json::to_string_pretty(&kangqiao::translate::record_to_json(
                            &t.record
                        ))
                        .unwrap()
                    );
                }
                for c in t.record.carried.iter() {
                    println!("  C {} = {}", c.at, c.text.chars().take(30).collect::<String>());
                }
                for n in &t.bins.notes {
                    println!("  N {} {}", n.remark.id, n.at);
                }
            }
        }
    }
}
