//! Provides the JSON form of typings.
