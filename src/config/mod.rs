//! 配置, what the operator writes.

pub mod files;
