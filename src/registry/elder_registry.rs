//! 老年人基本信息档案系统, the civil-affairs elderly registry as an upstream system.
//!
//! It is asked as the record platform is; what it answers is mapped by `mappings/civil/`.

use super::{Registry, Reply, ReplyError, platform};
use crate::policy::Release;

/// The dialect.
#[derive(Debug, Clone, Copy)]
pub struct ElderRegistry;

impl Registry for ElderRegistry {
    fn name(&self) -> &'static str {
        "civil-json"
    }

    fn encode(&self, release: &Release) -> Vec<u8> {
        platform::encode(release)
    }

    fn decode(&self, reply: &[u8]) -> Result<Vec<Reply>, ReplyError> {
        platform::decode(reply)
    }
}
