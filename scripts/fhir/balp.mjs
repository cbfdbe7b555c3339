// What an AuditEvent must be that says in meta.profile that it follows a pattern of IHE BALP (Basic
// Audit Log Patterns) 1.1.4, one pattern each, in words of our own: a rule as FHIRPath, beside it
// the defects that it must notice. A profile that has no rules here may not be claimed.
const DCM = 'http://dicom.nema.org/resources/ontology/DCM';
const SNOMED = 'http://snomed.info/sct';
const LIFECYCLE = 'http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle';
const ENTITY = 'http://terminology.hl7.org/CodeSystem/audit-entity-type';
const ROLE = 'http://terminology.hl7.org/CodeSystem/object-role';

const agents = (system, code) =>
  `agent.where(type.coding.where(system = '${system}' and code = '${code}').exists())`;
const [SOURCE, RECIPIENT] = ['110153', '110152'].map((code) => agents(DCM, code));
const [CUSTODIAN, AUTHORIZER] = ['159541003', '429577009'].map((code) => agents(SNOMED, code));
const PERSONS = `entity.where(type.system = '${ENTITY}' and type.code = '1')`;
const DISCLOSES = `subtype.where(system = '${LIFECYCLE}' and code = 'disclose')`;

const agent = (event, code) =>
  event.agent.find((one) => one.type.coding.some((coding) => coding.code === code));
const person = (event) => event.entity.find((one) => one.type?.code === '1');
const twice = (event, code) => event.agent.push(structuredClone(agent(event, code)));
const more = (event, code, who) => event.agent.push({
  type: { coding: [{ system: SNOMED, code }] }, requestor: false, ...who,
});
const somebody = { who: { display: 'somebody' } };

const DISCLOSURE_AT_SOURCE = [
  ['changes its meaning by no extension', 'modifierExtension.empty()', [
    (event) => { event.modifierExtension = [{ url: 'http://a.b/c', valueBoolean: true }]; },
  ]],
  ['is an export', `type.where(system = '${DCM}' and code = '110106').exists()`, [
    (event) => { event.type.code = '110107'; },
    (event) => { event.type.system = 'http://a.b/c'; },
  ]],
  ['says once that it discloses', `${DISCLOSES}.count() = 1`, [
    (event) => { event.subtype = event.subtype.filter((one) => one.code !== 'disclose'); },
    (event) => { event.subtype.push(event.subtype.find((one) => one.code === 'disclose')); },
  ]],
  ['reads', "action = 'R'", [
    (event) => { event.action = 'C'; },
    (event) => { delete event.action; },
  ]],
  ['says how it ended', 'outcome.exists()', [
    (event) => { delete event.outcome; },
  ]],
  ['has two agents at least', 'agent.count() >= 2', [
    (event) => { event.agent = event.agent.slice(0, 1); },
  ]],
  ['has one source', `${SOURCE}.count() = 1`, [
    (event) => { agent(event, '110153').type.coding[0].code = '110150'; },
    (event) => { twice(event, '110153'); },
  ]],
  ['says who the source is', `${SOURCE}.who.exists()`, [
    (event) => { delete agent(event, '110153').who; },
  ]],
  ['has a place of the source in the network', `${SOURCE}.network.exists()`, [
    (event) => { delete agent(event, '110153').network; },
  ]],
  ['is told by its source', `${SOURCE}.who = source.observer`, [
    (event) => { event.source.observer = { display: 'another' }; },
  ]],
  ['has one recipient', `${RECIPIENT}.count() = 1`, [
    (event) => { agent(event, '110152').type.coding[0].code = '110150'; },
    (event) => { twice(event, '110152'); },
  ]],
  ['says who the recipient is', `${RECIPIENT}.who.exists()`, [
    (event) => { delete agent(event, '110152').who; },
  ]],
  ['has a place of the recipient in the network', `${RECIPIENT}.network.exists()`, [
    (event) => { delete agent(event, '110152').network; },
  ]],
  ['has one custodian at most, who is named', `${CUSTODIAN}.count() <= 1 and ${CUSTODIAN}.who.count() = ${CUSTODIAN}.count()`, [
    (event) => { more(event, '159541003', {}); },
    (event) => { [1, 2].forEach(() => more(event, '159541003', somebody)); },
  ]],
  ['has one authorizer at most, who is named', `${AUTHORIZER}.count() <= 1 and ${AUTHORIZER}.who.count() = ${AUTHORIZER}.count()`, [
    (event) => { more(event, '429577009', {}); },
    (event) => { [1, 2].forEach(() => more(event, '429577009', somebody)); },
  ]],
  ['is about two things at least', 'entity.count() >= 2', [
    (event) => { event.entity = [person(event)]; },
  ]],
  ['is about one person', `${PERSONS}.count() = 1`, [
    (event) => { event.entity.push(structuredClone(person(event))); },
    (event) => { person(event).type.code = '2'; },
  ]],
  ['is about a patient', `${PERSONS}.role.where(system = '${ROLE}' and code = '1').exists()`, [
    (event) => { person(event).role.code = '4'; },
    (event) => { delete person(event).role; },
  ]],
  ['says which patient', `${PERSONS}.what.exists()`, [
    (event) => { delete person(event).what; },
  ]],
  ['refers to a patient', `${PERSONS}.what.where(type = 'Patient' or reference.matches('(^|/)Patient/')).exists()`, [
    (event) => { person(event).what.type = 'Person'; },
  ]],
];

const PROFILES = new Map([[
  'https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit.PrivacyDisclosure.Source',
  DISCLOSURE_AT_SOURCE,
]]);
const OURS = 'https://profiles.ihe.net/ITI/BALP/';

const claimed = (resource) =>
  (resource.meta?.profile ?? []).filter((profile) => profile.startsWith(OURS));

export class Balp {
  constructor(require) {
    this.fhirpath = require('fhirpath');
    this.model = require('fhirpath/fhir-context/r4');
  }

  // Which rules of the profiles it claims a resource breaks.
  of(resource) {
    return claimed(resource).flatMap((profile) => {
      const rules = PROFILES.get(profile);
      if (!rules) return [`claims ${profile}, which has no rules here`];
      const broken = rules.filter(([, rule]) => !this.holds(resource, rule));
      return broken.map(([says]) => `${profile} ${says}: not so`);
    });
  }

  holds(resource, rule) {
    const found = this.fhirpath.evaluate(resource, rule, { resource }, this.model);
    return found.length === 1 && found[0] === true;
  }
}

// Each defect of a bundle's first claim with the bundle it spoils, and the rule that must notice it.
export function broken(bundle) {
  const claims = ({ resource }) => claimed(resource ?? {}).length > 0;
  const at = (bundle.entry ?? []).findIndex(claims);
  if (at < 0) return [];
  const [profile] = claimed(bundle.entry[at].resource);
  const spoil = (change) => {
    const bad = structuredClone(bundle);
    change(bad.entry[at].resource);
    return bad;
  };
  const rules = (PROFILES.get(profile) ?? []).flatMap(([says, , defects]) => defects
    .map((change, index) => [`${says} (${index + 1})`, spoil(change), `${says}: not so`]));
  const other = spoil((event) => { event.meta.profile = [`${OURS}StructureDefinition/Other`]; });
  return [...rules, ['another profile', other, 'which has no rules here']];
}
