//! Text fields to typed values and back, by a reversible rule per column.
