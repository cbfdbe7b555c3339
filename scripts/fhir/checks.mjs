// What the schema, @medplum/core and the invariants let through, checked by R4's own
// definitions: choices, targets of references, required codes, calendars, empty values.

const DATE = /^(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T(\d{2}):(\d{2}):(\d{2})(\.\d+)?(Z|[+-]\d{2}:\d{2}))?)?)?$/;

export class Checks {
  constructor(structures, terminology) {
    this.structures = new Map(structures
      .filter((found) => found.derivation !== 'constraint')
      .map((found) => [found.type, found.snapshot.element]));
    const resources = terminology.flatMap((found) => found.entry.map((entry) => entry.resource));
    const of = (type) => new Map(resources
      .filter((found) => found.resourceType === type)
      .map((found) => [found.url, found]));
    [this.systems, this.sets, this.codes] = [of('CodeSystem'), of('ValueSet'), new Map()];
  }

  known(type) {
    return this.structures.get(type)?.[0]?.path === type && this.structures.has(type);
  }

  // What is wrong with a bundle as a whole.
  bundle(bundle) {
    const faults = [];
    const entries = bundle.entry ?? [];
    if (bundle.resourceType !== 'Bundle') faults.push('is no Bundle');
    const urls = entries.map((entry) => entry.fullUrl).filter(Boolean);
    const twice = urls.find((url, index) => urls.indexOf(url) !== index);
    if (twice) faults.push('a fullUrl stands twice');
    for (const [index, entry] of entries.entries()) {
      const own = entry.fullUrl?.startsWith('urn:uuid:') && entry.resource?.id;
      if (own && entry.fullUrl !== `urn:uuid:${entry.resource.id}`) {
        faults.push(`/entry/${index} fullUrl is not its id`);
      }
    }
    const types = new Map(entries.flatMap(({ fullUrl, resource }) => [
      [fullUrl, resource?.resourceType],
      [`${resource?.resourceType}/${resource?.id}`, resource?.resourceType],
    ]));
    types.set(`Bundle/${bundle.id}`, 'Bundle');
    for (const [index, { resource }] of entries.entries()) {
      if (!this.known(resource?.resourceType)) continue;
      this.each(resource, (value, element, at) => {
        const target = value?.reference;
        if (typeof target !== 'string' || !reference(element)) return;
        const place = `/entry/${index} ${at}`;
        const type = types.get(target);
        if (!type) faults.push(`${place} refers to what is not in the bundle`);
        else if (!allowed(element, type)) faults.push(`${place} may not refer to a ${type}`);
      });
    }
    return faults;
  }

  // What is wrong with one resource.
  resource(resource) {
    const faults = [];
    this.each(resource, (value, element, at, type) => {
      faults.push(...this.value(value, element, type).map((text) => `${at} ${text}`));
    });
    faults.push(...empties(resource, resource.resourceType));
    return faults;
  }

  value(value, element, type) {
    const faults = [];
    if (['date', 'dateTime', 'instant'].includes(type) && !isDate(value, type)) {
      faults.push(`is no ${type}`);
    }
    if (type === 'uri' && element.path === 'Coding.system' && !/^[a-z][a-z0-9+.-]*:\S+$/i.test(value)) {
      faults.push('is no absolute URI');
    }
    if (type === 'Quantity' && value?.code && !value.system) faults.push('has a code of no system');
    if (element.binding?.strength !== 'required') return faults;
    const set = this.set(element.binding.valueSet?.split('|')[0]);
    if (!set) return faults;
    const stated = typeof value === 'string' ? [value]
      : [value?.code, ...(value?.coding ?? []).map((coding) => coding.code)];
    const strange = stated.filter((code) => code !== undefined && !set.has(code));
    if (strange.length > 0 && strange.length === stated.filter(Boolean).length) {
      faults.push(`holds a code ${element.binding.valueSet} does not list`);
    }
    return faults;
  }

  // The codes of a value set that is a list; null if it is defined otherwise.
  set(url) {
    if (!url) return null;
    if (this.codes.has(url)) return this.codes.get(url);
    const include = this.sets.get(url)?.compose?.include;
    let found = include ? new Set() : null;
    for (const part of include ?? []) {
      const listed = part.concept ?? this.systems.get(part.system)?.concept;
      const whole = this.systems.get(part.system)?.content === 'complete' || part.concept;
      if (!listed || !whole || part.filter || part.valueSet) found = null;
      if (found) concepts(listed).forEach((code) => found.add(code));
    }
    this.codes.set(url, found);
    return found;
  }

  // Visits every element that has a definition, and names those that have none.
  each(resource, visit) {
    const type = resource.resourceType;
    this.inside(resource, [this.structures.get(type), type], type, visit);
  }

  inside(node, [elements, path], at, visit) {
    if (!elements || typeof node !== 'object' || node === null) return;
    for (const element of elements) {
      const name = element.path.slice(path.length + 1);
      if (!element.path.startsWith(`${path}.`) || name.includes('.')) continue;
      const types = element.type ?? [{}];
      const names = name.endsWith('[x]')
        ? types.map(({ code }) => [name.slice(0, -3) + code[0].toUpperCase() + code.slice(1), code])
        : [[name, types[0].code]];
      const there = names.filter(([spelled]) => node[spelled] !== undefined);
      if (there.length > 1) visit(null, { ...element, two: true }, `${at}.${name}`, 'two');
      for (const [spelled, type] of there) {
        [node[spelled]].flat().forEach((item) => {
          const place = `${at}.${spelled}`;
          visit(item, element, place, type);
          this.below(item, [element, elements, type], place, visit);
        });
      }
    }
  }

  below(item, [element, elements, type], at, visit) {
    if (element.contentReference) {
      this.inside(item, [elements, element.contentReference.slice(1)], at, visit);
    } else if (['BackboneElement', 'Element'].includes(type)) {
      this.inside(item, [elements, element.path], at, visit);
    } else if (item?.resourceType && this.structures.has(item.resourceType)) {
      this.inside(item, [this.structures.get(item.resourceType), item.resourceType], at, visit);
    } else if (this.structures.has(type)) {
      this.inside(item, [this.structures.get(type), type], at, visit);
    }
  }
}

const value = Checks.prototype.value;
// Of a choice one type may stand (R4 section 2.1.27).
Checks.prototype.value = function (found, element, type) {
  return type === 'two' ? ['stands in two types'] : value.call(this, found, element, type);
};

function concepts(list) {
  return list.flatMap((concept) => [concept.code, ...concepts(concept.concept ?? [])]);
}

const reference = (element) => (element.type ?? []).some(({ code }) => code === 'Reference');

function allowed(element, type) {
  const to = (element.type ?? []).flatMap((found) => found.targetProfile ?? []);
  const names = to.map((url) => url.split('/').pop());
  return names.length === 0 || names.includes('Resource') || names.includes(type);
}

function isDate(text, type) {
  const parts = DATE.exec(text);
  if (!parts) return false;
  const [, year, month, day, hour, minute, second, , zone] = parts;
  if (type === 'date' && hour) return false;
  if (type === 'instant' && !zone) return false;
  const last = new Date(Date.UTC(+year, +(month ?? 1), 0)).getUTCDate();
  return (!month || (+month >= 1 && +month <= 12)) && (!day || (+day >= 1 && +day <= last))
    && (!hour || (+hour < 24 && +minute < 60 && +second < 61));
}

// JSON of FHIR has no empty string, list or object, and no null outside lists (R4 2.6.2).
function empties(node, at) {
  if (node === null) return [`${at} is null`];
  if (node === '' || (typeof node === 'string' && node.trim() === '')) return [`${at} is empty`];
  if (typeof node !== 'object') return [];
  const inner = Object.entries(node);
  if (inner.length === 0) return [`${at} is empty`];
  const spaced = Array.isArray(node) && at.includes('._');
  return inner.flatMap(([name, item]) => (spaced && item === null ? [] : empties(item, `${at}.${name}`)));
}
