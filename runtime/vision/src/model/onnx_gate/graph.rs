//! An ONNX file as the gate parses it: only the fields that models of this software have.
//!
//! Texts and data are borrowed from the file; lists are bounded by [`crate::model::limits`].

use super::{
    Fault, fault,
    tensor::{Kind, Weights},
    wire::{Field, Fields, Value},
};
use crate::model::limits::{MAX_GRAPH_LIST, MAX_GRAPH_NAME_BYTES, MAX_GRAPH_NODES, MAX_GRAPH_WEIGHTS};

/// A model: its graph and operator set.
#[derive(Debug)]
pub(crate) struct Graph<'a> {
    pub(crate) opset: u32,
    pub(crate) nodes: Vec<Node<'a>>,
    pub(crate) weights: Vec<Weights<'a>>,
    pub(crate) inputs: Vec<Edge<'a>>,
    pub(crate) outputs: Vec<Edge<'a>>,
}

/// An operation with one output.
#[derive(Debug, Default)]
pub(crate) struct Node<'a> {
    pub(crate) operator: &'a str,
    pub(crate) inputs: Vec<&'a str>,
    pub(crate) output: &'a str,
    pub(crate) attributes: Vec<(&'a str, Held<'a>)>,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Held<'a> {
    Word(&'a str),
    Int(i64),
    Ints(Vec<i64>),
}

/// An input or output of the graph.
#[derive(Debug)]
pub(crate) struct Edge<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: Kind,
    pub(crate) shape: Vec<u64>,
}

impl<'a> Node<'a> {
    fn attribute(&self, name: &str) -> Option<&Held<'a>> {
        self.attributes.iter().find(|(found, _)| *found == name).map(|(_, held)| held)
    }

    /// An integer attribute.
    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        self.attribute(name).and_then(|held| if let Held::Int(int) = held { Some(*int) } else { None })
    }

    /// The same, if it is not negative.
    pub(crate) fn size(&self, name: &str) -> Option<usize> {
        self.int(name).and_then(|int| usize::try_from(int).ok())
    }

    /// An attribute with a list of integers, none negative.
    pub(crate) fn sizes(&self, name: &str) -> Option<impl Iterator<Item = usize>> {
        let Held::Ints(ints) = self.attribute(name)? else { return None };
        Some(ints.iter().filter_map(|int| usize::try_from(*int).ok()))
    }

    /// A text attribute.
    pub(crate) fn word(&self, name: &str) -> Option<&'a str> {
        self.attribute(name).and_then(|held| if let Held::Word(word) = held { Some(*word) } else { None })
    }
}

/// Reads a file.
pub(super) fn read(onnx: &[u8]) -> Result<Graph<'_>, Fault> {
    let (mut graph, mut opset) = (None, None);
    let mut fields = Fields::of(onnx, "model");
    while let Some(field) = fields.next()? {
        match (field.number, field.value) {
            // The versions of the format and of the model; the producer's name and version, the domain, a comment.
            (1 | 5, Value::Varint(_)) => {}
            (2 | 3 | 4 | 6, Value::Bytes(bytes)) => _ = text(bytes)?,
            (7, Value::Bytes(bytes)) => once(&mut graph, bytes, "graph")?,
            (8, Value::Bytes(bytes)) => once(&mut opset, operator_set(bytes)?, "operator set")?,
            _ => return Err(unknown("model", field)),
        }
    }
    let (Some(graph), Some(opset)) = (graph, opset) else {
        return Err(fault("no graph, or no operator set".into(), "one of each"));
    };
    let mut read = Graph { opset, nodes: vec![], weights: vec![], inputs: vec![], outputs: vec![] };
    let mut fields = Fields::of(graph, "graph");
    while let Some(field) = fields.next()? {
        match (field.number, field.value) {
            (1, Value::Bytes(bytes)) => push(&mut read.nodes, node(bytes)?, MAX_GRAPH_NODES, "nodes")?,
            (5, Value::Bytes(bytes)) => push(&mut read.weights, Weights::read(bytes)?, MAX_GRAPH_WEIGHTS, "weights")?,
            (11, Value::Bytes(bytes)) => push(&mut read.inputs, edge(bytes)?, MAX_GRAPH_LIST, "inputs")?,
            (12, Value::Bytes(bytes)) => push(&mut read.outputs, edge(bytes)?, MAX_GRAPH_LIST, "outputs")?,
            (2 | 10, Value::Bytes(bytes)) => _ = text(bytes)?,
            _ => return Err(unknown("graph", field)),
        }
    }
    Ok(read)
}

fn operator_set(bytes: &[u8]) -> Result<u32, Fault> {
    let (mut domain, mut version) = (None, None);
    let mut fields = Fields::of(bytes, "operator set");
    while let Some(field) = fields.next()? {
        match (field.number, field.value) {
            (1, Value::Bytes(bytes)) => once(&mut domain, text(bytes)?, "domain")?,
            (2, Value::Varint(number)) => once(&mut version, number, "version")?,
            _ => return Err(unknown("operator set", field)),
        }
    }
    let version = version.and_then(|version| u32::try_from(version).ok());
    match (domain.unwrap_or(""), version) {
        ("", Some(version)) => Ok(version),
        (domain, _) => Err(fault(format!("an operator set of the domain {domain:?}"), "only ONNX's own")),
    }
}

fn node(bytes: &[u8]) -> Result<Node<'_>, Fault> {
    let mut node = Node::default();
    let (mut operator, mut output) = (None, None);
    let mut fields = Fields::of(bytes, "node");
    while let Some(field) = fields.next()? {
        match (field.number, field.value) {
            (1, Value::Bytes(bytes)) => push(&mut node.inputs, text(bytes)?, MAX_GRAPH_LIST, "inputs of a node")?,
            (2, Value::Bytes(bytes)) => once(&mut output, text(bytes)?, "output of a node")?,
            (4, Value::Bytes(bytes)) => once(&mut operator, text(bytes)?, "operator of a node")?,
            (5, Value::Bytes(bytes)) => push(&mut node.attributes, attribute(bytes)?, MAX_GRAPH_LIST, "attributes")?,
            // A name and a comment.
            (3 | 6, Value::Bytes(bytes)) => _ = text(bytes)?,
            (7, Value::Bytes(b"")) => {}
            (7, Value::Bytes(bytes)) => {
                return Err(fault(format!("an operator of the domain {}", text(bytes)?), "only ONNX's own"));
            }
            _ => return Err(unknown("node", field)),
        }
    }
    (node.operator, node.output) = (operator.unwrap_or(""), output.unwrap_or(""));
    Ok(node)
}

fn attribute(bytes: &[u8]) -> Result<(&str, Held<'_>), Fault> {
    /// Type codes of attributes.
    const INT: u64 = 2;
    const WORD: u64 = 3;
    const INTS: u64 = 7;
    let (mut name, mut kind, mut int, mut word, mut ints) = (None, None, None, None, vec![]);
    let mut fields = Fields::of(bytes, "attribute");
    while let Some(field) = fields.next()? {
        match (field.number, field.value) {
            (1, Value::Bytes(bytes)) => once(&mut name, text(bytes)?, "name of an attribute")?,
            (3, Value::Varint(number)) => once(&mut int, number.cast_signed(), "integer of an attribute")?,
            (4, Value::Bytes(bytes)) => once(&mut word, text(bytes)?, "word of an attribute")?,
            (8, value) => numbers(&mut ints, value, "integers of an attribute")?,
            (13, Value::Bytes(bytes)) => _ = text(bytes)?,
            (20, Value::Varint(number)) => once(&mut kind, number, "kind of an attribute")?,
            _ => return Err(unknown("attribute: neither a word nor an integer", field)),
        }
    }
    let name = name.unwrap_or("");
    match (kind, int, word) {
        // Zero and empty values may be omitted.
        (Some(INT), int, None) if ints.is_empty() => Ok((name, Held::Int(int.unwrap_or(0)))),
        (Some(WORD), None, word) if ints.is_empty() => Ok((name, Held::Word(word.unwrap_or("")))),
        (Some(INTS), None, None) => Ok((name, Held::Ints(ints))),
        _ => Err(fault(format!("attribute {name}: neither a word nor an integer"), "words and integers only")),
    }
}

fn edge(bytes: &[u8]) -> Result<Edge<'_>, Fault> {
    let (mut name, mut kind) = (None, None);
    let mut fields = Fields::of(bytes, "edge of the graph");
    while let Some(field) = fields.next()? {
        match (field.number, field.value) {
            (1, Value::Bytes(bytes)) => once(&mut name, text(bytes)?, "name of an edge")?,
            (2, Value::Bytes(bytes)) => once(&mut kind, bytes, "type of an edge")?,
            (3, Value::Bytes(bytes)) => _ = text(bytes)?,
            _ => return Err(unknown("edge of the graph", field)),
        }
    }
    let tensor = only(kind.unwrap_or(b""), "type of an edge", 1)?;
    let (mut kind, mut shape) = (None, None);
    let mut fields = Fields::of(tensor, "type of an edge");
    while let Some(field) = fields.next()? {
        match (field.number, field.value) {
            (1, Value::Varint(number)) => once(&mut kind, number, "element type")?,
            (2, Value::Bytes(bytes)) => once(&mut shape, bytes, "shape")?,
            _ => return Err(unknown("type of an edge", field)),
        }
    }
    let mut sizes = Vec::new();
    let mut fields = Fields::of(shape.unwrap_or(b""), "shape");
    while let Some(field) = fields.next()? {
        let (1, Value::Bytes(bytes)) = (field.number, field.value) else { return Err(unknown("shape", field)) };
        let mut size = Fields::of(bytes, "size of an edge");
        match (size.next()?, size.next()?) {
            (Some(Field { number: 1, value: Value::Varint(number) }), None) => {
                push(&mut sizes, number, 4, "sizes of an edge")?;
            }
            _ => return Err(fault("a size that is not a number".into(), "fixed sizes at the edges of the graph")),
        }
    }
    Ok(Edge { name: name.unwrap_or(""), kind: Kind::of(kind.unwrap_or(0))?, shape: sizes })
}

/// The single field of a message that has no other.
fn only<'a>(message: &'a [u8], what: &'static str, number: u32) -> Result<&'a [u8], Fault> {
    let mut fields = Fields::of(message, what);
    match (fields.next()?, fields.next()?) {
        (Some(Field { number: found, value: Value::Bytes(bytes) }), None) if found == number => Ok(bytes),
        _ => Err(fault(format!("{what}: no tensor"), "a tensor")),
    }
}

/// A list of integers, packed or not.
pub(super) fn numbers(list: &mut Vec<i64>, value: Value<'_>, what: &'static str) -> Result<(), Fault> {
    match value {
        Value::Varint(number) => push(list, number.cast_signed(), MAX_GRAPH_LIST, what),
        Value::Bytes(bytes) => Fields::packed(bytes, what)
            .try_for_each(|number| number.and_then(|number| push(list, number.cast_signed(), MAX_GRAPH_LIST, what))),
        _ => Err(fault(format!("{what}: no integers"), "integers")),
    }
}

/// A text of bounded length.
pub(super) fn text(bytes: &[u8]) -> Result<&str, Fault> {
    if bytes.len() > MAX_GRAPH_NAME_BYTES {
        let found = format!("a name of {} bytes", bytes.len());
        return Err(fault(found, format!("at most {MAX_GRAPH_NAME_BYTES}")));
    }
    std::str::from_utf8(bytes).map_err(|_| fault("a name that is not UTF-8".into(), "UTF-8"))
}

/// Sets a value that may occur once: with two, one reader would use the first and another the last.
pub(super) fn once<T>(place: &mut Option<T>, value: T, what: &str) -> Result<(), Fault> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(fault(format!("more than one {what}"), "one")),
    }
}

fn push<T>(list: &mut Vec<T>, value: T, most: usize, what: &str) -> Result<(), Fault> {
    if list.len() >= most {
        return Err(fault(format!("more than {most} {what}"), format!("at most {most}")));
    }
    list.push(value);
    Ok(())
}

/// The fault of an unexpected field.
pub(super) fn unknown(what: &str, field: Field<'_>) -> Fault {
    let todo = "what train-host writes: no functions, external or sparse data, subgraphs or unknown fields";
    fault(format!("{what}: field {}", field.number), todo)
}
