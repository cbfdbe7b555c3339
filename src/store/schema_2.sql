-- Schema 2. Messages come in many forms; a row without one is HL7 v2, as all were before.
ALTER TABLE journal ADD COLUMN form TEXT;
