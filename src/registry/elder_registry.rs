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

    fn next(&self, release: &Release, replies: &[Vec<u8>]) -> Result<Option<Vec<u8>>, ReplyError> {
        Ok(replies.is_empty().then(|| platform::encode(release)))
    }

    fn decode(&self, replies: &[Vec<u8>]) -> Result<Vec<Reply>, ReplyError> {
        replies.first().map_or(Ok(Vec::new()), |reply| platform::decode(reply))
    }
}
