//! Tests of what leaves: answers by bytes.
