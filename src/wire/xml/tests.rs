//! What is refused, by name and place; what comes back as it was.

use proptest::prelude::*;

use super::*;
use crate::wire::Charset;

fn json(text: &[u8]) -> Result<serde_json::Value, XmlError> {
    read(text, &Limits::default()).map(|document| document.tree.to_json())
}

fn check(text: &str, json: serde_json::Value) {
    assert_eq!(super::tests::json(text.as_bytes()), Ok(json), "{text}");
}

fn refused(text: &str, name: &str, place: &str) {
    let limits = Limits { bytes_max: 400, depth_max: 3, nodes_max: 8 };
    let error = read(text.as_bytes(), &limits).map(|_| ()).expect_err(text);
    assert_eq!(
        (error.diagnostic(), error.position().to_string().as_str()),
        (name, place),
        "{text}"
    );
    assert!(error.to_string().starts_with(&format!("{name}: ")), "{error}");
}

#[test]
fn an_element_is_attributes_then_text_then_children_by_name() {
    check(
        "<a x='1' y=\"2\">t<b/><c>3</c><b z='4'> 5 </b></a>",
        serde_json::json!({"@x": "1", "@y": "2", "#text": "t",
            "b": [{}, {"@z": "4", "#text": "5"}], "c": [{"#text": "3"}]}),
    );
    check(
        "<a><![CDATA[ <b> ]]>&lt;&#x59D3;&#21517;&amp;</a>",
        serde_json::json!({"#text": " <b> <姓名&"}),
    );
    check("<?xml version='1.0'?>\n<!-- c --><?pi x?><a>\n</a>\n", serde_json::json!({}));
    check("<a x=' 1\n2&#10;'/>", serde_json::json!({"@x": " 1 2\n"}));
}

#[test]
fn names_are_local_and_a_changed_namespace_is_told() {
    let xsi = "http://www.w3.org/2001/XMLSchema-instance";
    let text = format!(
        "<s:e xmlns:s='urn:s' xmlns='urn:d' xmlns:i='{xsi}' xmlns:q='urn:q'>\
         <v i:type='q:CD' xml:lang='zh' q:a='1'><w/></v><s:f/></s:e>"
    );
    let document = read(text.as_bytes(), &Limits::default()).unwrap();
    assert_eq!((document.root.as_str(), document.namespace.as_deref()), ("e", Some("urn:s")));
    let expected = serde_json::json!({
        "v": [{"@xmlns": "urn:d", "@xsi:type": "CD", "@xml:lang": "zh",
            "@xmlns:q": "urn:q", "@q:a": "1", "w": [{}]}],
        "f": [{}]});
    assert_eq!(document.tree.to_json(), expected);
    assert_eq!(read(&write(&document), &Limits::default()), Ok(document));
}

#[test]
fn a_prefix_named_xsi_may_mean_something_else_and_comes_back() {
    let xsi = "http://www.w3.org/2001/XMLSchema-instance";
    for (text, expected) in [
        (
            "<a xmlns:xsi='urn:q' xsi:b='1'/>".to_owned(),
            serde_json::json!({"@xmlns:xsi_": "urn:q", "@xsi_:b": "1"}),
        ),
        (
            format!(
                "<a xmlns:xsi='urn:q' xmlns:i='{xsi}' xmlns:xsi_='urn:r' \
                 xsi:b='1' i:type='CD' xsi_:b='2'/>"
            ),
            serde_json::json!({"@xmlns:xsi_": "urn:q", "@xsi_:b": "1", "@xsi:type": "CD",
                "@xmlns:xsi__": "urn:r", "@xsi__:b": "2"}),
        ),
    ] {
        let document = read(text.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(document.tree.to_json(), expected);
        assert_eq!(read(&write(&document), &Limits::default()), Ok(document));
    }
}

#[test]
fn a_namespace_is_compared_as_it_is_meant() {
    let text = "<a xmlns='urn:a&amp;lt;' xmlns:p='urn:]&gt;' p:b='1'>\
                <c xmlns='urn:a&#38;lt;' xmlns:q='urn:&#x5d;>' q:b='2'/>\
                <d xmlns='urn:a&lt;'/></a>";
    let document = read(text.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(document.namespace.as_deref(), Some("urn:a&lt;"));
    let expected = serde_json::json!({"@xmlns:p": "urn:]>", "@p:b": "1",
        "c": [{"@xmlns:q": "urn:]>", "@q:b": "2"}], "d": [{"@xmlns": "urn:a<"}]});
    assert_eq!(document.tree.to_json(), expected);
    assert_eq!(read(&write(&document), &Limits::default()), Ok(document));
    refused("<a xmlns:p='&#1;' p:b='1'/>", "xml-entity", "1:4");
}

#[test]
fn each_way_of_being_wrong_has_its_name_and_place() {
    refused("", "xml-not-well-formed", "1:1");
    refused("x", "xml-not-well-formed", "1:1");
    refused("<a/><b/>", "xml-not-well-formed", "1:5");
    refused("<a/>x", "xml-not-well-formed", "1:5");
    refused("<a>\n<b></a>", "xml-unclosed", "2:4");
    refused("<a>\n<b>", "xml-unclosed", "2:4");
    refused("</a>", "xml-unclosed", "1:1");
    refused("<a", "xml-unclosed", "1:1");
    refused("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "xml-doctype", "1:1");
    refused("<!DOCTYPE a><a/>", "xml-doctype", "1:1");
    refused("<a>姓&nbsp;</a>", "xml-entity", "1:5");
    refused("<a>R&D</a>", "xml-entity", "1:5");
    refused("<a b='&nbsp;'/>", "xml-entity", "1:4");
    refused("<a>&#0;</a>", "xml-entity", "1:4");
    refused("<a>\n<b:c/></a>", "xml-undeclared-prefix", "2:1");
    refused("<a xsi:type='CD'/>", "xml-undeclared-prefix", "1:4");
    refused("<a b='1' c='2' b='3'/>", "xml-duplicate-attribute", "1:16");
    refused("<a xmlns:p='u' xmlns:q='u' p:b='1' q:b='2'/>", "xml-duplicate-attribute", "1:36");
    refused("<a 姓=1/>", "xml-unquoted-attribute", "1:6");
    refused("<a b=\"1/>", "xml-unquoted-attribute", "1:1");
    refused("<a b/>", "xml-not-well-formed", "1:5");
    refused("<a b='1'c='2'/>", "xml-not-well-formed", "1:9");
    refused("<a b='<'/>", "xml-not-well-formed", "1:4");
    refused("<a>]]></a>", "xml-not-well-formed", "1:4");
    refused("<1/>", "xml-not-well-formed", "1:1");
    refused("<a><!-- -- --></a>", "xml-not-well-formed", "1:9");
    refused(" <?xml version='1.0'?><a/>", "xml-prolog", "1:2");
    refused("<?xml version='1.0'?\n<a/>", "xml-prolog", "1:1");
    refused("<?xml encoding='UTF-8'?><a/>", "xml-prolog", "1:1");
    refused("<a>\u{1}</a>", "xml-character", "1:4");
    refused("<?xml version='1.0' encoding='BIG-5'?><a/>", "xml-encoding", "1:1");
}

#[test]
fn limits_hold_and_depth_never_reaches_the_stack() {
    refused(&"<a>".repeat(4), "limit", "1:10");
    refused(&format!("<a>{}</a>", "<b/>".repeat(8)), "limit", "1:32");
    refused(&" ".repeat(401), "limit", "1:1");
    let deep = Limits { depth_max: usize::MAX, ..Limits::default() };
    let outcome = read("<a>".repeat(100_000).as_bytes(), &deep);
    assert_eq!(outcome.map_err(|error| error.fault()), Err(Fault::Limit));
    let names: String = (0..300).map(|number| format!(" a{number}=''")).collect();
    let outcome = json(format!("<a{names}/>").as_bytes());
    assert_eq!(outcome.map_err(|error| error.fault()), Err(Fault::Limit));
    let names: String = (0..100_000).map(|number| format!("<a{number}/>")).collect();
    let outcome = json(format!("<a>{names}</a>").as_bytes()).map(|_| ());
    assert_eq!(outcome.map_err(|error| error.fault()), Err(Fault::Limit));
}

#[test]
fn a_character_set_is_found_whatever_is_declared() {
    let check = |charset: Charset, mark: &[u8], declared: &str| {
        let text = format!("<?xml version=\"1.0\"{declared}?><a b=\"患者姓名\">张三住院</a>");
        let bytes = [mark, &charset.encode(&text).unwrap()].concat();
        let expected = serde_json::json!({"@b": "患者姓名", "#text": "张三住院"});
        assert_eq!(json(&bytes), Ok(expected), "{charset:?} {declared}");
    };
    for declared in ["", " encoding=\"UTF-8\"", " encoding='GB2312'", " encoding=\"utf-16\""] {
        check(Charset::Utf8, b"", declared);
        check(Charset::Gb18030, b"", declared);
        check(Charset::Utf8, b"\xEF\xBB\xBF", declared);
        check(Charset::Utf16Le, b"\xFF\xFE", declared);
        check(Charset::Utf16Be, b"\xFE\xFF", declared);
        check(Charset::Utf16Le, b"", declared);
        check(Charset::Utf16Be, b"", declared);
    }
    check(Charset::Gb18030, b"", " encoding=\"GBK\"");
    check(Charset::Utf8, b"", " encoding=\"ISO-8859-1\"");
    let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><a>M\xFCller</a>";
    assert_eq!(json(latin), Ok(serde_json::json!({"#text": "Müller"})));
    let neither = json(b"<a>\n<b>\xFF\xFF</b></a>").unwrap_err();
    assert_eq!(
        (neither.diagnostic(), neither.position()),
        ("xml-encoding", &Position::Place(2, 4))
    );
}

#[test]
fn what_cannot_be_written_is_replaced_and_outer_space_is_kept() {
    let tree = Tree::Map(vec![
        ("@a".to_owned(), "<\"&'>\t\r\n ".into()),
        ("b".to_owned(), Tree::List(vec![" x\r\n".into(), Tree::Null, Tree::Bool(true)])),
        ("c".to_owned(), Tree::Number("7.10".to_owned())),
        ("d".to_owned(), "\u{1}".into()),
    ]);
    let document = Document { root: "r".to_owned(), namespace: None, tree };
    let expected = serde_json::json!({"@a": "<\"&'>\t\r\n ",
        "b": [{"#text": " x\r\n"}, {}, {"#text": "true"}],
        "c": [{"#text": "7.10"}], "d": [{"#text": "\u{fffd}"}]});
    assert_eq!(json(&write(&document)), Ok(expected));
}

fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![
            Just(' '),
            Just('\n'),
            Just('\r'),
            Just('&'),
            Just('<'),
            Just('"'),
            Just(']'),
            Just('>'),
            Just('张'),
            Just('𠮷'),
            proptest::char::range('a', 'z')
        ],
        1..6,
    )
    .prop_map(|signs| signs.into_iter().collect())
}

fn element() -> impl Strategy<Value = Tree> {
    let attributes = proptest::collection::btree_map("@[a-c]|@xsi:type", text(), 0..3);
    let leaf = (attributes, proptest::option::of(text())).prop_map(|(attributes, text)| {
        let mut members: Vec<_> =
            attributes.into_iter().map(|(name, text)| (name, Tree::from(text))).collect();
        members.extend(text.map(|text| ("#text".to_owned(), text.into())));
        Tree::Map(members)
    });
    leaf.prop_recursive(4, 24, 4, |inner| {
        let lists = proptest::collection::vec(inner.clone(), 1..3);
        (inner, proptest::collection::btree_map("[a-c]", lists, 0..3)).prop_map(|(one, lists)| {
            let mut members = one.members().to_vec();
            members.retain(|(name, _)| name.starts_with(['@', '#']));
            members.extend(lists.into_iter().map(|(name, items)| (name, Tree::List(items))));
            Tree::Map(members)
        })
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_it_was(tree in element(), namespaced in any::<bool>()) {
        let namespace = namespaced.then(|| "urn:hl7-org:v3".to_owned());
        let document = Document { root: "ClinicalDocument".to_owned(), namespace, tree };
        // A prefix before the name of a type belongs to the document it stood in.
        prop_assert_eq!(read(&write(&document), &Limits::default()), Ok(document));
    }

    #[test]
    fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = read(&bytes, &Limits::default());
    }

    #[test]
    fn no_markup_makes_reading_panic(text in r#"[<>/!?\[\]a:x='"&;#\- 姓\n]{0,40}"#) {
        if let Ok(document) = read(text.as_bytes(), &Limits::default()) {
            prop_assert_eq!(read(&write(&document), &Limits::default()), Ok(document));
        }
    }
}

/// Public documents of real systems stand beside the repository, not in it.
#[test]
fn every_well_formed_document_of_the_corpus_is_read_and_every_other_is_named() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let beside = ["../shared/corpus/cda", "../../shared/corpus/cda"];
    let Some(folder) = beside.iter().map(|path| root.join(path)).find(|path| path.is_dir()) else {
        eprintln!("SKIPPED: no corpus beside the repository, so no corpus document was read");
        return;
    };
    let manifest = std::fs::read_to_string(folder.join("MANIFEST.csv")).unwrap();
    let mut rows = csv::Reader::from_reader(manifest.as_bytes());
    let headers = rows.headers().unwrap().clone();
    let column = |name: &str| headers.iter().position(|header| header == name).unwrap();
    let mut named = Vec::new();
    for row in rows.records() {
        let row = row.unwrap();
        let file = &row[column("file")];
        let outcome = read(&std::fs::read(folder.join(file)).unwrap(), &Limits::default());
        match outcome {
            Ok(document) => {
                assert_eq!(&row[column("well_formed")], "yes", "{file}");
                assert_eq!(read(&write(&document), &Limits::default()), Ok(document), "{file}");
            }
            Err(error) => {
                assert_ne!(&row[column("well_formed")], "yes", "{file}: {error}");
                named.push(error.diagnostic());
            }
        }
    }
    assert!(!named.contains(&"limit") && named.len() == 3, "{named:?}");
}
