//! The machine that the program runs on: threads, files, keys and the journal, behind [`convert`] and
//! [`reread`].
//!
//! Decisions about content are made by `coherence`, about bytes by `formats`; here they are carried out.

pub mod among;
pub mod at_hand;
pub mod bytes;
pub mod directories;
pub mod effective;
mod encode;
pub mod estimate;
mod folder;
mod hash;
pub mod image;
pub mod inside;
pub mod interrupted;
mod job;
mod journal;
pub mod keys;
pub mod media;
pub mod memory;
#[cfg(test)]
mod mutants;
mod naming;
mod outcome;
mod partitioned;
mod plan;
pub mod pool;
pub mod process;
mod prove;
mod publish;
pub mod rejects;
pub mod relative;
pub mod released;
pub mod replace;
mod resume;
pub mod seal;
mod shards;
mod shortfall;
pub mod signal;
mod source;
pub mod staging;
pub mod standard;
pub mod streamed;
pub mod survey;
mod temporary;
mod type_map;
pub mod verify;
pub mod via;

pub use encode::{share, stopped, unreadable};
pub use hash::{hash_object, hash_parts, hash_untold};
pub use job::{Job, convert, misfit, refuse_early};
pub use outcome::{Done, Outcome};
pub use partitioned::{PARTITION_STYLE, are_certified_files, has_certified_files, places, without_slash};
pub use plan::{Plan, PlannedColumn, plan, refusals_of_file, retyped, retyped_on};
pub use prove::reread;
pub use source::{Hashed, open_planned, open_sources, open_table, opened, read_pipe};

/// Why nothing may be lost: since a person asked for that, or since nobody said how much.
pub fn no_budget(exact_asked: bool) -> &'static str {
    match exact_asked {
        true => "--within exact lets nothing be lost",
        false => "nobody said how much may be lost",
    }
}
