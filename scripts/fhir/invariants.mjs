// Every invariant of FHIR R4 with severity error, evaluated by fhirpath.js wherever its
// element stands.

// Left out: they speak of XHTML, of contained resources.
const LEFT_OUT = new Set(['txt-1', 'txt-2', 'ref-1', 'dom-3', 'dom-6']);

export class Invariants {
  constructor(require, structures) {
    this.fhirpath = require('fhirpath');
    this.model = require('fhirpath/fhir-context/r4');
    this.compiled = new Map();
    this.structures = new Map(structures
      .filter((found) => found.derivation !== 'constraint')
      .map((found) => [found.type, found.snapshot.element]));
  }

  // Texts of the invariants a resource breaks.
  of(resource) {
    const faults = [];
    this.walk(resource, resource.resourceType, [resource, resource.resourceType], faults);
    return faults;
  }

  walk(node, type, [resource, at], faults) {
    const elements = this.structures.get(type);
    if (!elements) return;
    this.element(node, elements, type, [resource, at], faults);
  }

  element(node, elements, path, [resource, at], faults) {
    if (typeof node !== 'object' || node === null) return;
    const own = elements.find((element) => element.path === path);
    for (const rule of own?.constraint ?? []) {
      if (rule.severity !== 'error' || !rule.expression || LEFT_OUT.has(rule.key)) continue;
      if (!this.holds(node, [rule, path], resource)) faults.push(`${at} breaks ${rule.key}: ${rule.human}`);
    }
    for (const element of elements) {
      const rest = element.path.slice(path.length + 1);
      if (!element.path.startsWith(`${path}.`) || rest.includes('.')) continue;
      for (const [name, type] of spellings(rest, element)) {
        const value = node[name];
        if (value === undefined) continue;
        [value].flat().forEach((item, index) => {
          const place = [resource, `${at}.${name}${Array.isArray(value) ? `[${index}]` : ''}`];
          this.child(item, [element, elements, type], place, faults);
        });
      }
    }
  }

  child(item, [element, elements, type], place, faults) {
    if (element.contentReference) {
      this.element(item, elements, element.contentReference.slice(1), place, faults);
      return;
    }
    this.element(item, elements, element.path, place, faults);
    if (/^[A-Z]/.test(type ?? '') && !['BackboneElement', 'Element'].includes(type)) {
      const resource = item?.resourceType;
      this.walk(item, resource ?? type, resource ? [item, place[1]] : place, faults);
    }
  }

  // Compiled for the path it stands at, so that a choice is known by its types.
  holds(node, [rule, base], resource) {
    const key = `${base} ${rule.expression}`;
    if (!this.compiled.has(key)) {
      const expression = { base, expression: rule.expression };
      this.compiled.set(key, this.fhirpath.compile(expression, this.model));
    }
    const found = this.compiled.get(key)(node, { resource, rootResource: resource });
    return found.length === 0 || found[0] !== false;
  }
}

// The names an element has in JSON, with the type of each.
function spellings(name, element) {
  const types = element.type ?? [{}];
  if (!name.endsWith('[x]')) return [[name, types[0].code]];
  const stem = name.slice(0, -3);
  return types.map(({ code }) => [stem + code[0].toUpperCase() + code.slice(1), code]);
}
