//! Information from a module's name: its layer, its kind, and its position among the modules.

/// The number of a module's layer, which is the first number in the module's name.
pub(crate) fn layer(module: &str) -> Option<usize> {
    module.split('.').find_map(|segment| segment.parse().ok())
}

/// A module's name without the number of its layer, which is the same for all layers. Modules of an encoder and of a decoder are
/// of different kinds.
pub(crate) fn kind(module: &str) -> String {
    let number = module.split('.').position(|segment| segment.parse::<usize>().is_ok());
    let others = module.split('.').enumerate().filter(|(at, _)| Some(*at) != number).map(|(_, segment)| segment);
    others.collect::<Vec<_>>().join(".")
}

/// The distinct kinds among `modules`, in order of appearance. Each kind has a short name, which lacks the leading segments that
/// all kinds share.
pub(crate) fn kinds<'a>(modules: impl Iterator<Item = &'a str>) -> Vec<(String, String)> {
    let mut kinds: Vec<String> = Vec::new();
    for module in modules {
        let kind = kind(module);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let segments: Vec<Vec<&str>> = kinds.iter().map(|kind| kind.split('.').collect()).collect();
    let shortest = segments.iter().map(Vec::len).min().unwrap_or(0);
    let common = (0..shortest.saturating_sub(1))
        .take_while(|&at| segments.iter().all(|other| other[at] == segments[0][at]))
        .count();
    let short: Vec<String> = segments.iter().map(|segments| segments[common..].join(".")).collect();
    kinds.into_iter().zip(short).collect()
}

/// A sort key for natural order: layer 10 comes after layer 9.
pub(crate) fn natural(module: &str) -> Vec<(usize, String)> {
    let key = |segment: &str| match segment.parse() {
        Ok(number) => (number, String::new()),
        Err(_) => (0, segment.to_string()),
    };
    module.split('.').map(key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoder_and_decoder_modules_are_different_kinds() {
        let modules =
            ["m.encoder.layers.0.self_attn.q", "m.decoder.layers.0.self_attn.q", "m.decoder.layers.11.self_attn.q"];
        let found = kinds(modules.into_iter());
        let pair = |kind: &str, short: &str| (kind.to_string(), short.to_string());
        let expected = [
            pair("m.encoder.layers.self_attn.q", "encoder.layers.self_attn.q"),
            pair("m.decoder.layers.self_attn.q", "decoder.layers.self_attn.q"),
        ];
        assert_eq!(found, expected);
        assert_eq!(layer(modules[2]), Some(11));
    }

    #[test]
    fn names_are_shortened_as_far_as_possible() {
        let short =
            |modules: &[&str]| kinds(modules.iter().copied()).into_iter().map(|(_, short)| short).collect::<Vec<_>>();
        assert_eq!(short(&["b.layer.0.attention.query", "b.layer.1.attention.value"]), ["query", "value"]);
        assert_eq!(short(&["b.layer.0.query"]), ["query"]);
        // Names that end in the number of the layer, and names without a number.
        assert_eq!(short(&["mlp.0", "mlp.3"]), ["mlp"]);
        assert_eq!(short(&["conv", "linear"]), ["conv", "linear"]);
        assert_eq!((layer("conv"), layer("mlp.3")), (None, Some(3)));
    }

    #[test]
    fn layer_numbers_are_sorted_numerically() {
        let mut modules = vec!["l.10.v", "l.9.v", "l.9.q"];
        modules.sort_by_key(|module| natural(module));
        assert_eq!(modules, ["l.9.q", "l.9.v", "l.10.v"]);
    }
}
