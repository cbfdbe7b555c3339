// Defects a sound bundle is spoilt with: the gate must notice every one.

const clone = (bundle) => JSON.parse(JSON.stringify(bundle));

// What to look for, and what to do with the first that is found.
const DEFECTS = [
  ['an unknown member', 'Patient', (r) => { r.colour = 'red'; }],
  ['a misspelt member', 'Patient', (r) => { r.nmae = r.name; delete r.name; }],
  ['a list where one stands', 'Patient', (r) => { r.gender = [r.gender]; }],
  ['one where a list stands', 'Patient', (r) => { r.name = r.name[0]; }],
  ['a code no value set lists', 'Patient', (r) => { r.gender = '男'; }],
  ['a date that is no day', 'Patient', (r) => { r.birthDate = '1948-02-31'; }],
  ['a date with a time', 'Patient', (r) => { r.birthDate = '1948-03-15T08:00:00Z'; }],
  ['a date in compact form', 'Patient', (r) => { r.birthDate = '19480315'; }],
  ['two of a choice', 'Patient', (r) => { r.deceasedBoolean = true; r.deceasedDateTime = '2026'; }],
  ['an empty text', 'Patient', (r) => { r.name[0].text = ''; }],
  ['an empty list', 'Patient', (r) => { r.telecom = []; }],
  ['an empty object', 'Patient', (r) => { r.maritalStatus = {}; }],
  ['a null', 'Patient', (r) => { r.active = null; }],
  ['a boolean as text', 'Patient', (r) => { r.active = 'true'; }],
  ['a contact point without system', 'Patient', (r) => { r.telecom = [{ value: '1' }]; }],
  ['a contact of nobody', 'Patient', (r) => { r.contact = [{ gender: 'male' }]; }],
  ['a period that ends before it begins', 'Patient', (r) => {
    r.identifier[0].period = { start: '2026-02-01', end: '2026-01-01' };
  }],
  ['an extension with value and extensions', 'Patient', (r) => {
    r.extension = [{ url: 'http://a.b/c', valueString: 'x', extension: [{ url: 'd', valueCode: 'e' }] }];
  }],
  ['an extension without url', 'Patient', (r) => { r.extension = [{ valueString: 'x' }]; }],
  ['an id that is none', 'Patient', (r) => { r.id = 'a b'; }],
  ['a resource without its required status', 'Observation', (r) => { delete r.status; }],
  ['a resource without its required code', 'Observation', (r) => { delete r.code; }],
  ['a status of another resource', 'Observation', (r) => { r.status = 'booked'; }],
  ['two values', 'Observation', (r) => {
    r.valueString = 'x';
    r.valueInteger = 1;
  }],
  ['a value and why there is none', 'Observation', (r) => {
    r.valueString ??= 'x';
    r.dataAbsentReason = { text: 'unknown' };
  }],
  ['a number as text', 'Observation', (r) => {
    Object.keys(r).filter((name) => name.startsWith('value')).forEach((name) => delete r[name]);
    r.valueQuantity = { value: '7.1' };
  }],
  ['a unit code of no system', 'Observation', (r) => {
    Object.keys(r).filter((name) => name.startsWith('value')).forEach((name) => delete r[name]);
    r.valueQuantity = { value: 7.1, code: 'mmol/L' };
  }],
  ['a time without offset', 'Observation', (r) => { r.effectiveDateTime = '2026-11-21T08:30:00'; }],
  ['a reference that dangles', 'Observation', (r) => {
    r.subject = { reference: 'urn:uuid:00000000-0000-4000-8000-000000000000' };
  }],
  ['a reference to the wrong type', 'Observation', (r, bundle) => {
    const wrong = bundle.entry.find((entry) => entry.resource.resourceType === 'Observation');
    r.subject = { reference: wrong.fullUrl };
  }],
  ['a system that is no URI', 'Observation', (r) => { r.code = { coding: [{ system: 'LN', code: '1' }] }; }],
  ['a range without limits', 'Observation', (r) => { r.referenceRange = [{ appliesTo: [{ text: 'x' }] }]; }],
  ['an unknown resource', 'Patient', (r) => { r.resourceType = 'Person2'; }],
  ['a fullUrl twice', null, (_, bundle) => {
    bundle.entry[1].fullUrl = bundle.entry[0].fullUrl;
    bundle.entry[1].resource.id = bundle.entry[0].resource.id;
  }],
  ['a fullUrl that is not the id', null, (_, bundle) => {
    bundle.entry[0].fullUrl = 'urn:uuid:00000000-0000-4000-8000-000000000001';
  }],
  ['a bundle of no type', null, (_, bundle) => { delete bundle.type; }],
  ['a bundle with a total that is no search', null, (_, bundle) => { bundle.total = 3; }],
];

// Each defect with the bundle it spoils.
export function spoilt(bundle) {
  return DEFECTS.map(([name, type, spoil]) => {
    const bad = clone(bundle);
    const found = bad.entry.find((entry) => entry.resource.resourceType === type);
    spoil(found?.resource, bad);
    return [name, bad];
  });
}
