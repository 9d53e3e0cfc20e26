//! Certificates: made only from a [`VerifiedWhole`], signed, and checked by anyone who has the file.

use crate::budget::{Bound, Budget, OverBudget};
use crate::canonical::{self, UnsafeNumber};
use crate::consistency;
use crate::content::{self, Model};
use crate::digest::{Digest, ObjectDigest};
use crate::distortion::measured;
use crate::dsse::{Bundle, Malformed, expect, read};
use crate::evidence::EvidenceError;
use crate::found::{checks, requested};
use crate::gate::Measured;
use crate::key;
pub use crate::part_table::{part_table, part_table_digest};
use crate::stated::stated_by;
use crate::statement::{
    BytesContent, Check, Content, Conversion, Distortion, Execution, Gate, PREDICATE_TYPE, Parameters,
    PartCounts, PartTable, Partitions, Predicate, STATEMENT_TYPE, SignalArray, SignalAttribute,
    SignalContent, Source, Statement, Style, Subject, TableContent, TableDigest, Tau, Tool, TypedColumn,
    Verification,
};
use crate::verified::{Records, VerifiedWhole};
use ed25519_dalek::{SigningKey, VerifyingKey};
use std::fmt;
use thiserror::Error;

/// What a certificate promises, from strong to weak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Equal digests, and every typing from text is reversible.
    Exact,
    /// Equal digests of the values; some column's text does not come back as it was.
    ValueExact,
    /// Measured distance within the budget, for the whole and for every part.
    Bounded,
    /// Some records were set aside, or some parts not decoded.
    Partial,
}

/// A file, for the certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// File name, without its folder; for a file of a directory, the path from where the directory lies.
    pub name: String,
    /// Digests and size.
    pub object: ObjectDigest,
    /// Media type.
    pub media_type: String,
}

/// How text spells one column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnStyle {
    /// Members of `style`; numbers beyond 2^53 and fractions must be strings.
    pub style: Style,
    /// True when converting back gives the same field text; also for columns that never were text.
    pub reversible: bool,
}

/// What the caller knows about the run and the verified whole does not.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The program.
    pub tool: Tool,
    /// Files read, in order; the first one's media type is that of all.
    pub sources: Vec<File>,
    /// Files made.
    pub targets: Vec<File>,
    /// Options that decide the result.
    pub parameters: Parameters,
    /// RFC 3339 time at which the run began.
    pub started_on: String,
    /// RFC 3339 time at which it ended.
    pub finished_on: String,
    /// One entry for each column of a table or array of a signal; none for a byte string.
    pub styles: Vec<ColumnStyle>,
    /// Distance allowed; [`Budget::ZERO`] where nothing may change.
    pub budget: Budget,
    /// Gates that were asked for, measured on the finished target.
    pub gates: Vec<Measured>,
    /// Where the conversion ran.
    pub execution: Execution,
}

/// A certificate that cannot be made.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum BuildError {
    /// The measured distance is beyond the budget.
    #[error(transparent)]
    OverBudget(#[from] OverBudget),
    /// A gate is not passed.
    #[error("{name} is at {found} where the limit is {limit}")]
    Gate {
        /// What is measured.
        name: &'static str,
        /// Found.
        found: f64,
        /// The worst value allowed.
        limit: f64,
    },
    /// The evidence has no distance.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// A number among the parameters, styles or costs must be a string.
    #[error(transparent)]
    Number(#[from] UnsafeNumber),
    /// The number of styles is not the number of columns.
    #[error("{found} column styles for {expected} columns")]
    Styles {
        /// Columns of the table, arrays of the signal; 0 for a byte string.
        expected: usize,
        /// Styles given.
        found: usize,
    },
    /// No source or no target was named.
    #[error("a certificate names at least one source and one target")]
    NoFiles,
    /// The certificate would be refused by its own reader.
    #[error(transparent)]
    Unreadable(#[from] Malformed),
    /// The key has no encoding.
    #[error(transparent)]
    Key(#[from] key::BadKey),
}

/// A certificate that does not hold, by whose fault it is.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CertificateError {
    /// The bytes are not a certificate.
    #[error("malformed certificate: {0}")]
    Malformed(#[from] Malformed),
    /// What it states is signed as it stands, but not in a way that is known here, as of another version.
    #[error("states what is not known here: {why}")]
    Unknown {
        /// What is not known.
        why: Malformed,
        /// The program that made it, with its version, where that is told.
        tool: Option<String>,
    },
    /// The signature was not made by the key that the certificate names, over what it states.
    #[error("the signature is not valid")]
    BadSignature,
    /// The signature is valid, but the key is not the one asked for.
    #[error("signed by key {found}, not by {wanted}")]
    WrongKey {
        /// Key asked for.
        wanted: Digest,
        /// Key that signed.
        found: Digest,
    },
}

/// A certificate whose signature was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    statement: Statement,
    key_id: Digest,
    verdict: Verdict,
}

impl Certificate {
    /// What was signed.
    pub fn statement(&self) -> &Statement {
        &self.statement
    }

    /// Name of the key that signed it.
    pub fn key_id(&self) -> &Digest {
        &self.key_id
    }

    /// What it promises.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }
}

/// Checks a bundle: its signature under the key it names, its consistency, and, if asked, that key itself.
pub fn verify(bundle: &Bundle, pinned: Option<&Digest>) -> Result<Certificate, CertificateError> {
    let pinned = |key_id: Digest| match pinned.filter(|wanted| **wanted != key_id) {
        Some(wanted) => Err(CertificateError::WrongKey { wanted: *wanted, found: key_id }),
        None => Ok(()),
    };
    let statement = known(bundle).map_err(|why| match stated_by(bundle) {
        Some((key_id, tool)) => pinned(key_id).err().unwrap_or(CertificateError::Unknown { why, tool }),
        None => why.into(),
    })?;
    let signer = key::from_pem(&statement.predicate.key).map_err(|_| Malformed::Key)?;
    let key_id = key::key_id(&signer).map_err(|_| Malformed::Key)?;
    if key_id != *bundle.unverified_key_id() {
        return Err(Malformed::KeyNames.into());
    }
    if !bundle.is_signed_by(&signer) {
        return Err(CertificateError::BadSignature);
    }
    pinned(key_id)?;
    let verdict =
        consistency::check(&statement.predicate).map_err(|why| match consistency::is_unknown(&why) {
            true => {
                let tool = &statement.predicate.conversion.tool;
                CertificateError::Unknown { why, tool: Some(format!("{} {}", tool.name, tool.version)) }
            }
            false => why.into(),
        })?;
    Ok(Certificate { statement, key_id, verdict })
}

/// The statement of a bundle, of which nothing is checked.
fn known(bundle: &Bundle) -> Result<Statement, Malformed> {
    let statement: Statement = read("statement", bundle.unverified_payload())?;
    expect("_type", &statement.statement_type, STATEMENT_TYPE)?;
    expect("predicateType", &statement.predicate_type, PREDICATE_TYPE)?;
    Ok(statement)
}

/// States and signs what a verified whole shows. The bytes of the file are [`Bundle::to_bytes`].
pub fn sign(whole: &VerifiedWhole, facts: Facts, key: &SigningKey) -> Result<Bundle, BuildError> {
    let payload = {
        let statement = state(whole, facts, &key.verifying_key())?;
        consistency::check(&statement.predicate)?;
        canonical::to_bytes(&statement)?
    };
    // A certificate that its own reader refuses must never leave.
    let bundle = Bundle::sign(payload, key)?;
    Bundle::parse(&bundle.to_bytes())?;
    read::<Statement>("statement", bundle.unverified_payload())?;
    Ok(bundle)
}

/// The verdict that a whole earns within a budget.
pub fn verdict(whole: &VerifiedWhole, budget: &Budget, all_reversible: bool) -> Result<Verdict, OverBudget> {
    whole.check(budget)?;
    Ok(Verdict::earned(whole.records(), whole.is_equal(), all_reversible))
}

fn state(whole: &VerifiedWhole, facts: Facts, key: &VerifyingKey) -> Result<Statement, BuildError> {
    let expected = match whole.model() {
        Model::Table(schema) => schema.columns(),
        Model::Signal(signature) => signature.arrays.len(),
        Model::Bytes => 0,
    };
    if facts.styles.len() != expected {
        return Err(BuildError::Styles { expected, found: facts.styles.len() });
    }
    let (Some(from), Some(to)) = (facts.sources.first(), facts.targets.first()) else {
        return Err(BuildError::NoFiles);
    };
    let (from, to) = (from.media_type.clone(), to.media_type.clone());
    let distortion = distortion(whole, &facts)?;
    let verification = verification(whole, &facts, key)?;
    let subject = facts.targets.into_iter();
    let subject = subject.map(|file| Subject { name: file.name, digest: (&file.object).into() });
    let source = facts.sources.into_iter().map(|file| Source {
        name: file.name,
        digest: (&file.object).into(),
        media_type: file.media_type,
        size: file.object.size.to_string(),
    });
    let conversion = Conversion {
        from,
        to,
        tool: facts.tool,
        parameters: facts.parameters,
        started_on: facts.started_on,
        finished_on: facts.finished_on,
    };
    Ok(Statement {
        statement_type: STATEMENT_TYPE.to_owned(),
        predicate_type: PREDICATE_TYPE.to_owned(),
        subject: subject.collect(),
        predicate: Predicate {
            conversion,
            source: source.collect(),
            distortion,
            verification,
            content: content(whole, facts.styles),
            execution: facts.execution,
            key: key::to_pem(key)?,
        },
    })
}

fn content(whole: &VerifiedWhole, styles: Vec<ColumnStyle>) -> Content {
    let (scheme, equal) = (content::SCHEME.to_owned(), whole.is_equal());
    let (source, target) = (whole.source_root().to_string(), whole.target_root().to_string());
    let units = whole.units().to_string();
    let schema = match whole.model() {
        Model::Table(schema) => schema,
        Model::Signal(signature) => {
            let arrays = signature.arrays.iter().zip(styles).map(|(array, style)| SignalArray {
                name: array.name.clone(),
                ty: array.sample.to_string(),
                shape: array.shape.iter().map(u64::to_string).collect(),
                meaning: array.meaning.clone(),
                style: style.style,
            });
            let attributes = signature.attributes.iter().map(|(key, value)| SignalAttribute {
                key: key.clone(),
                blake3: Digest::blake3(value).to_string(),
            });
            return Content::Signal(SignalContent {
                scheme,
                source,
                target,
                equal,
                samples: units,
                arrays: arrays.collect(),
                attributes: attributes.collect(),
            });
        }
        Model::Bytes => return Content::Bytes(BytesContent { scheme, source, target, equal, bytes: units }),
    };
    let columns = schema.fields.iter().zip(styles).map(|(field, style)| TypedColumn {
        name: field.name.clone(),
        ty: field.ty.to_string(),
        style: style.style,
        reversible: style.reversible,
    });
    let partitions = whole.partitioned().map(|partitioned| Partitions {
        columns: partitioned.columns.clone(),
        count: partitioned.count.to_string(),
    });
    let table = if partitions.is_some() { Content::Partitioned } else { Content::Table };
    table(TableContent {
        scheme,
        partitions,
        source,
        target,
        equal,
        rows: units,
        columns: schema.columns().to_string(),
        type_map: columns.collect(),
    })
}

fn distortion(whole: &VerifiedWhole, facts: &Facts) -> Result<Distortion, BuildError> {
    Ok(Distortion { gates: gates(facts)?, ..measured(whole, &facts.budget)? })
}

/// The bounds that were checked.
fn gates(facts: &Facts) -> Result<Vec<Gate>, BuildError> {
    let plain = |name: String, limit: f64| Gate { name, limit: decimal(limit), found: None, by: None };
    let bound = |name: &str, bound: Bound| match bound {
        Bound::Rate(limit) => plain(name.to_owned(), limit),
        Bound::Rmse(limit) => plain(format!("{name}-rmse"), limit),
        Bound::MaxAbs(limit) => plain(format!("{name}-max-abs"), limit),
    };
    let budget = &facts.budget;
    let mut gates = vec![bound("whole", budget.whole), bound("part", budget.part)];
    if budget.part_absolute > 0.0 {
        gates.push(plain("part-absolute-rmse".to_owned(), budget.part_absolute));
    }
    if budget.part_distance > 0.0 {
        gates.push(plain("part-absolute".to_owned(), budget.part_distance));
    }
    for measured in &facts.gates {
        let (name, found, limit) = (measured.gate.measure.name(), measured.found, measured.gate.limit);
        if !measured.holds() {
            return Err(BuildError::Gate { name, found, limit });
        }
        let (found, by) = (Some(decimal(found)), Some(measured.by.clone()));
        gates.push(Gate { found, by, ..plain(name.to_owned(), limit) });
    }
    Ok(gates)
}

fn verification(
    whole: &VerifiedWhole,
    facts: &Facts,
    key: &VerifyingKey,
) -> Result<Verification, BuildError> {
    let by = key::key_id(key)?.to_string();
    let total = whole.parts().len().to_string();
    let partitions = whole.partitioned().map(|partitioned| partitioned.count);
    let checks = checks(whole.model().grid(), &total, whole.records(), partitions).into_iter();
    let checks = checks.map(|(name, scope, result)| Check {
        name: name.to_owned(),
        by: by.clone(),
        scope,
        result: result.to_owned(),
    });
    let all_reversible = facts.styles.iter().all(|style| style.reversible);
    Ok(Verification {
        verdict: verdict(whole, &facts.budget, all_reversible)?.to_string(),
        parts: PartCounts {
            decoded: total.clone(),
            total,
            sampled: "0".to_owned(),
            replicated: "0".to_owned(),
            mismatched: "0".to_owned(),
            redone: "0".to_owned(),
        },
        // Whoever signs has decoded every part, so what remains is the measured coherence itself.
        tau: Tau {
            requested: decimal(requested(whole.evidence(), &facts.budget)?),
            reached: decimal(whole.evidence().coherence()?),
        },
        undetected: "0".to_owned(),
        checks: checks.collect(),
        table: PartTable { digest: TableDigest { blake3: part_table_digest(whole)?.to_string() } },
    })
}

impl Verdict {
    /// Every verdict, from strong to weak.
    pub const ALL: [Self; 4] = [Self::Exact, Self::ValueExact, Self::Bounded, Self::Partial];

    /// What is earned by contents that are equal or within their bounds.
    pub(crate) fn earned(records: Records, equal: bool, all_reversible: bool) -> Self {
        match (records.set_aside > 0, equal, all_reversible) {
            (true, ..) => Self::Partial,
            (false, false, _) => Self::Bounded,
            (false, true, true) => Self::Exact,
            (false, true, false) => Self::ValueExact,
        }
    }

    /// The name that certificates and reports use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "EXACT",
            Self::ValueExact => "VALUE-EXACT",
            Self::Bounded => "BOUNDED",
            Self::Partial => "PARTIAL",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The shortest decimal that reads back as the same number; `inf` for infinity.
pub(crate) fn decimal(value: f64) -> String {
    // Adding zero turns -0 into 0.
    format!("{}", value + 0.0)
}
