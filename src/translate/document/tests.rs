//! Documents of every family: in, out, and what they refuse.
