//! Merkle trees over digests, after RFC 6962 with BLAKE3. The tree knows nothing about what its leaves mean.

use crate::digest::Digest;

/// Prefix of the hash of a leaf.
const LEAF: u8 = 0;
/// Prefix of the hash of an inner node.
const INNER: u8 = 1;

/// The root over these leaves; over no leaves it is the digest of the empty string.
pub fn root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::blake3(&[]),
        [leaf] => hash_leaf(leaf),
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            hash_inner(&root(left), &root(right))
        }
    }
}

/// Proof that a leaf stands at one place in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof {
    /// Place of the leaf, from 0.
    pub index: u64,
    /// Number of leaves in the tree.
    pub leaves: u64,
    /// Roots of the neighbouring subtrees, from the leaf upwards.
    pub path: Vec<Digest>,
}

impl InclusionProof {
    /// Proves the leaf at `index`; `None` when there is no such leaf.
    pub fn new(leaves: &[Digest], index: usize) -> Option<Self> {
        if index >= leaves.len() {
            return None;
        }
        let (mut rest, mut at, mut path) = (leaves, index, Vec::new());
        while rest.len() > 1 {
            let (left, right) = rest.split_at(split(rest.len()));
            if at < left.len() {
                path.push(root(right));
                rest = left;
            } else {
                path.push(root(left));
                at -= left.len();
                rest = right;
            }
        }
        path.reverse();
        Some(Self { index: index as u64, leaves: leaves.len() as u64, path })
    }

    /// The root of the tree in which `leaf` stands at this place; `None` when the proof has no valid shape.
    pub fn root(&self, leaf: &Digest) -> Option<Digest> {
        if self.index >= self.leaves {
            return None;
        }
        // The way down decides on which side each neighbour stands.
        let (mut count, mut at, mut leaf_is_left) = (self.leaves, self.index, Vec::new());
        while count > 1 {
            let left = 1 << (u64::BITS - 1 - (count - 1).leading_zeros());
            leaf_is_left.push(at < left);
            if at < left {
                count = left;
            } else {
                at -= left;
                count -= left;
            }
        }
        if leaf_is_left.len() != self.path.len() {
            return None;
        }
        let sides = leaf_is_left.into_iter().rev().zip(&self.path);
        Some(sides.fold(hash_leaf(leaf), |node, (is_left, neighbour)| {
            if is_left { hash_inner(&node, neighbour) } else { hash_inner(neighbour, &node) }
        }))
    }
}

/// The largest power of two below `count`, which is at least 2.
fn split(count: usize) -> usize {
    1 << (usize::BITS - 1 - (count - 1).leading_zeros())
}

fn hash_leaf(leaf: &Digest) -> Digest {
    let mut bytes = [LEAF; 33];
    bytes[1..].copy_from_slice(leaf.as_bytes());
    Digest::blake3(&bytes)
}

fn hash_inner(left: &Digest, right: &Digest) -> Digest {
    let mut bytes = [INNER; 65];
    bytes[1..33].copy_from_slice(left.as_bytes());
    bytes[33..].copy_from_slice(right.as_bytes());
    Digest::blake3(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_leaf_is_proven_and_no_other_place_or_leaf() {
        for count in 0..20usize {
            let leaves: Vec<Digest> = (0..count as u8).map(|byte| Digest::blake3(&[byte])).collect();
            let top = root(&leaves);
            assert_eq!(InclusionProof::new(&leaves, count), None);
            for index in 0..count {
                let proof = InclusionProof::new(&leaves, index).expect("there is such a leaf");
                assert_eq!(proof.root(&leaves[index]), Some(top));
                assert_ne!(proof.root(&Digest::blake3(b"other")), Some(top));
                for wrong in (0..count as u64 + 2).filter(|wrong| *wrong != index as u64) {
                    let moved = InclusionProof { index: wrong, ..proof.clone() };
                    assert_ne!(moved.root(&leaves[index]), Some(top));
                }
                let mut longer = proof.clone();
                longer.path.push(top);
                assert_eq!(longer.root(&leaves[index]), None);
            }
        }
    }

    #[test]
    fn huge_counts_in_a_forged_proof_do_no_harm() {
        let proof = InclusionProof { index: u64::MAX - 1, leaves: u64::MAX, path: vec![] };
        assert_eq!(proof.root(&Digest::default()), None);
    }
}
