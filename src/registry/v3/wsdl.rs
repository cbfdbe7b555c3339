//! The interface as its callers' tools read it: WSDL 1.1, one for each dialect.
//!
//! Standard: WSDL 1.1 (W3C note 2001-03-15), document/literal wrapped, SOAP 1.1 and 1.2.
//! 医院平台: one operation, `HIPMessageServer(action, message)`. 区域平台: an operation for each
//! service, named as its request.

use super::reply::NAMESPACE;
use super::request::Dialect;
use super::services::SERVICES;

/// The service description; `address` is where its caller reached it.
#[must_use]
pub fn wsdl(dialect: Dialect, address: &str) -> String {
    let (name, operations): (_, Vec<(&str, &[&str])>) = match dialect {
        Dialect::Hospital => ("HIPService", vec![("HIPMessageServer", &["action", "message"])]),
        Dialect::Regional => {
            let each = SERVICES.iter().filter(|service| !service.request.ends_with("UV"));
            let named =
                |service: &super::services::Interaction| (service.request, &["message"] as &[&str]);
            ("EHRService", each.map(named).collect())
        }
    };
    let mut page = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    page.push_str(&format!(
        "<wsdl:definitions name=\"{name}\" targetNamespace=\"{NAMESPACE}\" \
         xmlns:tns=\"{NAMESPACE}\" xmlns:wsdl=\"http://schemas.xmlsoap.org/wsdl/\" \
         xmlns:soap=\"http://schemas.xmlsoap.org/wsdl/soap/\" \
         xmlns:soap12=\"http://schemas.xmlsoap.org/wsdl/soap12/\" \
         xmlns:xs=\"http://www.w3.org/2001/XMLSchema\">\n"
    ));
    page.push_str(&types(&operations));
    page.push_str(&messages(&operations));
    page.push_str(&port_type(name, &operations));
    for (suffix, prefix) in [("Soap", "soap"), ("Soap12", "soap12")] {
        page.push_str(&binding(name, (suffix, prefix), &operations));
    }
    let address = escaped(address);
    page.push_str(&format!("<wsdl:service name=\"{name}\">\n"));
    for (suffix, prefix) in [("Soap", "soap"), ("Soap12", "soap12")] {
        page.push_str(&format!(
            "<wsdl:port name=\"{name}{suffix}\" binding=\"tns:{name}{suffix}\">\
             <{prefix}:address location=\"{address}\"/></wsdl:port>\n"
        ));
    }
    page.push_str("</wsdl:service>\n</wsdl:definitions>\n");
    page
}

type Operations<'a> = [(&'a str, &'a [&'a str])];

fn types(operations: &Operations<'_>) -> String {
    let texts = |names: &[&str]| {
        let text = |name: &&str| {
            format!("<xs:element name=\"{name}\" type=\"xs:string\" minOccurs=\"0\"/>")
        };
        names.iter().map(text).collect::<String>()
    };
    let mut page = format!(
        "<wsdl:types><xs:schema targetNamespace=\"{NAMESPACE}\" elementFormDefault=\"qualified\">\n"
    );
    // What a caller brings to show that its question is due.
    for name in super::HEADERS {
        page.push_str(&format!("<xs:element name=\"{name}\" type=\"xs:string\"/>\n"));
    }
    for (operation, parameters) in operations {
        let result = format!("{operation}Result");
        let response = format!("{operation}Response");
        for (element, inner) in
            [(*operation, texts(parameters)), (response.as_str(), texts(&[result.as_str()]))]
        {
            page.push_str(&format!(
                "<xs:element name=\"{element}\"><xs:complexType><xs:sequence>{inner}\
                 </xs:sequence></xs:complexType></xs:element>\n"
            ));
        }
    }
    page.push_str("</xs:schema></wsdl:types>\n");
    page
}

fn messages(operations: &Operations<'_>) -> String {
    let both = |(operation, _): &(&str, &[&str])| {
        format!(
            "<wsdl:message name=\"{operation}In\"><wsdl:part name=\"parameters\" \
             element=\"tns:{operation}\"/></wsdl:message>\n\
             <wsdl:message name=\"{operation}Out\"><wsdl:part name=\"parameters\" \
             element=\"tns:{operation}Response\"/></wsdl:message>\n"
        )
    };
    operations.iter().map(both).collect()
}

fn port_type(name: &str, operations: &Operations<'_>) -> String {
    let each = |(operation, _): &(&str, &[&str])| {
        format!(
            "<wsdl:operation name=\"{operation}\"><wsdl:input message=\"tns:{operation}In\"/>\
             <wsdl:output message=\"tns:{operation}Out\"/></wsdl:operation>\n"
        )
    };
    let inner: String = operations.iter().map(each).collect();
    format!("<wsdl:portType name=\"{name}\">\n{inner}</wsdl:portType>\n")
}

fn binding(name: &str, (suffix, prefix): (&str, &str), operations: &Operations<'_>) -> String {
    let each = |(operation, _): &(&str, &[&str])| {
        format!(
            "<wsdl:operation name=\"{operation}\">\
             <{prefix}:operation soapAction=\"{NAMESPACE}:{operation}\" style=\"document\"/>\
             <wsdl:input><{prefix}:body use=\"literal\"/></wsdl:input>\
             <wsdl:output><{prefix}:body use=\"literal\"/></wsdl:output></wsdl:operation>\n"
        )
    };
    let inner: String = operations.iter().map(each).collect();
    format!(
        "<wsdl:binding name=\"{name}{suffix}\" type=\"tns:{name}\">\
         <{prefix}:binding style=\"document\" \
         transport=\"http://schemas.xmlsoap.org/soap/http\"/>\n{inner}</wsdl:binding>\n"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}
