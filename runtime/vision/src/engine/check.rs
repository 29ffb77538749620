//! What is inside a graph, looked at once it is decoded and before the engine plans with it.
//!
//! A manifest can be swapped together with its model. So the numbers that the engine takes on trust are
//! checked here: each of these has been seen to end the process or to run and give nonsense.

use std::collections::{BTreeSet, HashSet};

use tract_core::prelude::Framework;
use tract_onnx::pb::{AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};
use tract_onnx::pb::{
    attribute_proto::AttributeType, tensor_proto::DataType, tensor_shape_proto::dimension, type_proto,
};

use super::fault;
use crate::{
    error::{Error, Result},
    model::{
        gate,
        limits::{MAX_GRAPH_DIM, MAX_GRAPH_NODES},
        manifest::Tensor,
        store::Model,
    },
};

/// Decodes the model's ONNX file and checks the graph.
pub(super) fn decode(model: &Model) -> Result<ModelProto> {
    let name = &model.manifest.name;
    let proto = tract_onnx::onnx().proto_model_for_read(&mut &model.onnx[..]).map_err(|e| fault(name, e))?;
    let Some(graph) = proto.graph.as_ref() else { return Err(Error::model(name, "no graph", "an ONNX graph", "")) };
    check(graph, &proto, model)?;
    Ok(proto)
}

/// Operators that occur in a file's graph, sorted.
pub(super) fn operators(onnx: &[u8]) -> Result<Vec<String>> {
    let name = "onnx";
    let proto = tract_onnx::onnx().proto_model_for_read(&mut &onnx[..]).map_err(|e| fault(name, e))?;
    let graph = proto.graph.ok_or_else(|| Error::model(name, "no graph", "an ONNX graph", ""))?;
    let operators: BTreeSet<String> = graph.node.into_iter().map(|node| node.op_type).collect();
    Ok(operators.into_iter().collect())
}

fn check(graph: &GraphProto, proto: &ModelProto, model: &Model) -> Result<()> {
    let manifest = &model.manifest;
    let fault = |found: String, expected: &str| Err(Error::model(&manifest.name, found, expected, ""));
    if proto.opset_import.iter().any(|set| !set.domain.is_empty() || set.version != i64::from(manifest.opset)) {
        return fault("another operator set".into(), &format!("opset {} alone", manifest.opset));
    }
    if !proto.functions.is_empty() || !graph.sparse_initializer.is_empty() {
        return fault("functions or sparse weights".into(), "neither");
    }
    if graph.node.len() > MAX_GRAPH_NODES {
        return fault(format!("{} nodes", graph.node.len()), &format!("at most {MAX_GRAPH_NODES}"));
    }
    let operators: BTreeSet<&str> = graph.node.iter().map(|node| node.op_type.as_str()).collect();
    let listed: BTreeSet<&str> = manifest.operators.iter().map(String::as_str).collect();
    if operators != listed {
        return fault(format!("operators {operators:?}"), &format!("{listed:?}, as its manifest says"));
    }
    for node in &graph.node {
        if !node.domain.is_empty() || !gate::OPERATORS.contains(&node.op_type.as_str()) {
            return fault(format!("operator {}.{}", node.domain, node.op_type), "none but the listed ones");
        }
        for attribute in &node.attribute {
            check_attribute(attribute, node).or_else(|found| fault(found, "sensible attributes"))?;
        }
    }
    check_constants(graph).or_else(|found| fault(found, "operations on what the input gives"))?;
    let quantizers =
        graph.node.iter().filter(|node| matches!(node.op_type.as_str(), "QuantizeLinear" | "DequantizeLinear"));
    let scales: BTreeSet<&str> = quantizers.filter_map(|node| node.input.get(1)).map(String::as_str).collect();
    for weights in &graph.initializer {
        check_weights(weights, scales.contains(weights.name.as_str()))
            .or_else(|found| fault(found, "sensible weights"))?;
    }
    for (at, values, tensor) in [("input", &graph.input, &manifest.input), ("output", &graph.output, &manifest.output)]
    {
        match values.as_slice() {
            [value] if is_as(value, tensor) => {}
            _ => {
                return fault(
                    format!("{at} unlike the manifest's"),
                    &format!("one, {} of {:?}", tensor.name, tensor.shape),
                );
            }
        }
    }
    Ok(())
}

/// Nothing but dequantization is done to constants alone: the planner would multiply them out, and what broadcasts can grow
/// from kilobytes to terabytes. Nodes stand behind what they read, as ONNX demands.
fn check_constants(graph: &GraphProto) -> std::result::Result<(), String> {
    let mut computed: HashSet<&str> = graph.input.iter().map(|value| value.name.as_str()).collect();
    for node in &graph.node {
        if node.input.iter().any(|input| computed.contains(input.as_str())) {
            computed.extend(node.output.iter().map(String::as_str));
        } else if !matches!(node.op_type.as_str(), "DequantizeLinear" | "Identity") {
            return Err(format!("{} {} on constants alone", node.op_type, node.name));
        }
    }
    Ok(())
}

/// Words and small integers alone; those that divide or stride are not 0.
fn check_attribute(attribute: &AttributeProto, node: &NodeProto) -> std::result::Result<(), String> {
    let place = || format!("{} of {} {}", attribute.name, node.op_type, node.name);
    let numbers = match AttributeType::try_from(attribute.r#type) {
        Ok(AttributeType::String) => return Ok(()),
        Ok(AttributeType::Int) => std::slice::from_ref(&attribute.i),
        Ok(AttributeType::Ints) => attribute.ints.as_slice(),
        _ => return Err(format!("{}: neither a word nor an integer", place())),
    };
    let least = match attribute.name.as_str() {
        "strides" | "dilations" | "kernel_shape" | "blocksize" | "group" => 1,
        // Axes count from the end.
        "axis" => -4,
        _ => 0,
    };
    match numbers.iter().find(|number| !(least..=MAX_GRAPH_DIM).contains(*number)) {
        Some(number) => Err(format!("{}: {number}", place())),
        None => Ok(()),
    }
}

/// Dimensions that the data fill, floats that are numbers, and scales that are above 0.
fn check_weights(weights: &TensorProto, is_scale: bool) -> std::result::Result<(), String> {
    let name = &weights.name;
    if weights.data_location.unwrap_or(0) != 0 || !weights.external_data.is_empty() {
        return Err(format!("{name}: weights outside the file"));
    }
    // One scale, or one for each place along an axis: more would broadcast.
    if is_scale && weights.dims.len() > 1 {
        return Err(format!("{name}: scales of shape {:?}", weights.dims));
    }
    if weights.dims.iter().any(|&dim| !(1..=MAX_GRAPH_DIM).contains(&dim)) {
        return Err(format!("{name}: shape {:?}", weights.dims));
    }
    let elements = weights.dims.iter().try_fold(1_i64, |product, &dim| product.checked_mul(dim)).unwrap_or(i64::MAX);
    let (bytes_each, listed) = match DataType::try_from(weights.data_type) {
        Ok(DataType::Float) => (4, weights.float_data.len()),
        Ok(DataType::Int64) => (8, weights.int64_data.len()),
        Ok(DataType::Int32) => (4, weights.int32_data.len()),
        Ok(DataType::Int8 | DataType::Uint8) => (1, weights.int32_data.len()),
        _ => return Err(format!("{name}: element type {}", weights.data_type)),
    };
    let held = if weights.raw_data.is_empty() { listed } else { weights.raw_data.len() / bytes_each };
    if i64::try_from(held) != Ok(elements) {
        return Err(format!("{name}: {held} elements for shape {:?}", weights.dims));
    }
    if weights.data_type == DataType::Float as i32 {
        let raw = weights.raw_data.chunks_exact(4).filter_map(|four| four.try_into().ok()).map(f32::from_le_bytes);
        let what = if is_scale { "scale" } else { "value" };
        let is_bad = |value: &f32| if is_scale { !value.is_normal() || *value < 0.0 } else { !value.is_finite() };
        if let Some(bad) = raw.chain(weights.float_data.iter().copied()).find(is_bad) {
            return Err(format!("{name}: the {what} {bad}"));
        }
    }
    Ok(())
}

fn is_as(value: &ValueInfoProto, tensor: &Tensor) -> bool {
    let Some(type_proto::Value::TensorType(found)) = value.r#type.as_ref().and_then(|t| t.value.as_ref()) else {
        return false;
    };
    let shape = found.shape.iter().flat_map(|shape| &shape.dim).map(|dim| match &dim.value {
        Some(dimension::Value::DimValue(size)) => usize::try_from(*size).ok(),
        _ => None,
    });
    value.name == tensor.name
        && found.elem_type == DataType::Uint8 as i32
        && shape.eq(tensor.shape.iter().map(|&size| Some(size)))
}
