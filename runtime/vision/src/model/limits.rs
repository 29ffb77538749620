//! Limits of model files.

/// Most inputs, and most outputs, of an integer part of a graph.
pub const MAX_NET_EDGES: usize = 8;

/// Largest model file that is opened, in bytes.
pub const MAX_MODEL_BYTES: u64 = 8 * 1024 * 1024;

/// Most nodes of a model's graph.
pub const MAX_GRAPH_NODES: usize = 4096;

/// Greatest dimension, stride or similar number in a model's graph.
pub const MAX_GRAPH_DIM: i64 = 4096;

/// Most weights of a model's graph: a convolution has six, including scales and zero points.
pub const MAX_GRAPH_WEIGHTS: usize = 4 * MAX_GRAPH_NODES;

/// Most entries of a list in a model's graph: inputs or attributes of a node, numbers of an attribute.
pub const MAX_GRAPH_LIST: usize = 64;

/// Longest name in a model's graph, in bytes.
pub const MAX_GRAPH_NAME_BYTES: usize = 256;

/// Most multiplications of a model per tile.
pub const MAX_NET_MACS: u64 = 16 << 30;

/// Most bytes of the tensors between a model's layers.
pub const MAX_ACTIVATION_BYTES: u64 = 512 * 1024 * 1024;

/// Largest manifest or config file that is opened, in bytes.
pub const MAX_TEXT_BYTES: u64 = 256 * 1024;
