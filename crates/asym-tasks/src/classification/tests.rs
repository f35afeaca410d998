#![allow(clippy::unwrap_used, clippy::expect_used)]

use asym_data::HubOptions;

use super::*;
use crate::files::Files;
use crate::scratch::Scratch;
use crate::task::{Scale, Task, TaskInfo};
use crate::text::{Problem, Target};
use crate::{AnyTask, Recipe, TaskError};

fn options(label: &str) -> ClassificationOptions {
    ClassificationOptions {
        text: Some("review".into()),
        label: Some(Names::One(label.into())),
        ..ClassificationOptions::default()
    }
}

fn read(folder: &Scratch, name: &str, options: ClassificationOptions) -> Result<ClassificationData, TaskError> {
    let path = folder.path().join(name).display().to_string();
    Classification { options }.read(&Files::new(Some(&path), HubOptions::default()))
}

fn refused(folder: &Scratch, name: &str, options: ClassificationOptions) -> String {
    read(folder, name, options).unwrap_err().to_string()
}

/// Reviews: 12 with 5 stars, 6 with 3 stars and 2 with 1 star.
fn reviews() -> String {
    let stars = |at: usize| {
        if at % 10 < 6 {
            5
        } else if at % 10 < 9 {
            3
        } else {
            1
        }
    };
    let rows = (0..20).map(|at| format!("{at},\"review, number {at}\",{}\n", stars(at)));
    std::iter::once("id,review,stars\n".to_string()).chain(rows).collect()
}

#[test]
fn numeric_classes_are_sorted_and_one_file_is_split() {
    let folder = Scratch::new("own-split");
    folder.write("reviews.csv", reviews().as_bytes());
    let data = read(&folder, "reviews.csv", options("stars")).unwrap();
    assert_eq!(data.labels, Labels { problem: Problem::Classes, names: ["1", "3", "5"].map(String::from).into() });
    assert_eq!((data.train.len(), data.dev.len()), (16, 4));
    let of = |class: usize| data.dev.iter().filter(|example| example.target == Target::Class(class)).count();
    assert_eq!([of(0), of(1), of(2)], [0, 2, 2], "each label has its share, rounded to whole examples");
    assert!(data.train.iter().all(|example| !data.dev.contains(example)));
    // The same seed selects the same examples, and another seed selects others.
    assert_eq!(read(&folder, "reviews.csv", options("stars")).unwrap(), data);
    let other = ClassificationOptions { split_seed: Some(7), ..options("stars") };
    assert_ne!(read(&folder, "reviews.csv", other).unwrap().dev, data.dev);

    let task = Classification { options: options("stars") };
    let lines = task.describe(&data).join("\n");
    for part in [
        "20 rows; 16 to train on and 4 to evaluate on, 20 % of each label drawn with seed 0",
        "1: 2 (12.5 %), 3: 4 (25.0 %), 5: 10 (62.5 %)",
        "the most frequent answer, 5, is correct for 50.0 %",
    ] {
        assert!(lines.contains(part), "{part} in {lines}");
    }
    // The settled task has all settings that are needed to read the same data again.
    let settled = task.settled(&data);
    assert_eq!((settled.outputs(), settled.labels().len(), settled.is_pair()), (Some(3), 3, Some(false)));
    let scores: Vec<String> = settled.scores().into_iter().map(|score| score.name).collect();
    assert_eq!(scores, ["accuracy", "macro_f1", "majority"]);
    assert_eq!(read(&folder, "reviews.csv", settled.options.clone()).unwrap(), data);
}

#[test]
fn every_file_format_gives_the_same_examples() {
    let folder = Scratch::new("own-forms");
    let rows = [("so good", "yes"), ("so bad", "no"), ("a \"quoted\" one", "yes"), ("dull", "no")];
    let quoted = |text: &str| text.replace('"', "\"\"");
    let csv: String = rows.iter().map(|(text, label)| format!("\"{}\",{label}\n", quoted(text))).collect();
    folder.write("a.csv", format!("review,label\n{csv}").as_bytes());
    let tsv: String = rows.iter().map(|(text, label)| format!("{text}\t{label}\n")).collect();
    folder.write("a.tsv", format!("review\tlabel\n{tsv}").as_bytes());
    let object = |(text, label): &(&str, &str)| serde_json::json!({"label": label, "review": text}).to_string();
    let objects: Vec<String> = rows.iter().map(object).collect();
    folder.write("a.jsonl", objects.join("\n").as_bytes());
    folder.write("a.json", format!("[{}]", objects.join(", ")).as_bytes());
    let booleans = objects.join("\n").replace("\"yes\"", "true").replace("\"no\"", "false");
    folder.write("b.jsonl", booleans.as_bytes());
    let expected = read(&folder, "a.csv", options("label")).unwrap();
    assert_eq!(expected.labels.names, ["no", "yes"]);
    let examples = |data: &ClassificationData| {
        let of = |examples: &[crate::text::Example]| -> Vec<(String, Target)> {
            examples.iter().map(|example| (example.first.clone(), example.target.clone())).collect()
        };
        (of(&data.train), of(&data.dev))
    };
    for name in ["a.tsv", "a.jsonl", "a.json"] {
        let data = read(&folder, name, options("label")).unwrap();
        assert_eq!((examples(&data), &data.labels), (examples(&expected), &expected.labels), "{name}");
    }
    let data = read(&folder, "b.jsonl", options("label")).unwrap();
    assert_eq!(data.labels.names, ["false", "true"]);
    assert_eq!(examples(&data), examples(&expected));
}

#[test]
fn separate_development_sets_are_evaluated() {
    let folder = Scratch::new("own-dev");
    std::fs::create_dir_all(folder.path().join("data")).unwrap();
    folder.write("data/train.jsonl", b"{\"review\": \"a\", \"label\": \"x\"}\n{\"review\": \"b\", \"label\": \"y\"}\n");
    folder.write("data/validation.csv", b"review,label\nc,y\n");
    folder.write("more.csv", b"review,label\nd,x\ne,y\n");
    folder.write("one.csv", b"review,label\nf,x\n");
    let data = read(&folder, "", options("label")).unwrap();
    assert_eq!((data.train.len(), data.dev.len()), (2, 1));
    assert!(Classification::default().describe(&data)[0].contains("1 to evaluate on"));
    let given = ClassificationOptions { dev: Some("one.csv".into()), ..options("label") };
    let data = read(&folder, "more.csv", given).unwrap();
    assert_eq!((data.train[0].first.as_str(), data.dev[0].first.as_str()), ("d", "f"));
    folder.write("one.csv", b"review,label\nf,z\n");
    let given = ClassificationOptions { dev: Some("one.csv".into()), ..options("label") };
    let message = refused(&folder, "more.csv", given);
    assert!(message.contains("one.csv:2: the label `z` is not one of x, y"), "{message}");
}

#[test]
fn a_file_without_a_header_has_numbered_columns() {
    let folder = Scratch::new("own-headless");
    folder.write("sms.tsv", b"ham\tHe said \"no\"\nspam\twin now\nham\tsee you\n");
    let numbered = ClassificationOptions {
        header: Some(false),
        text: Some("2".into()),
        label: Some(Names::One("1".into())),
        ..ClassificationOptions::default()
    };
    let data = read(&folder, "sms.tsv", numbered.clone()).unwrap();
    assert_eq!(
        (data.labels.names.as_slice(), data.train.len() + data.dev.len()),
        (["ham", "spam"].map(String::from).as_slice(), 3)
    );
    let named = ClassificationOptions { text: Some("body".into()), ..numbered };
    let message = refused(&folder, "sms.tsv", named);
    assert!(message.contains("columns are numbers"), "{message}");
}

#[test]
fn pairs_scores_and_multiple_labels_are_read() {
    let folder = Scratch::new("own-kinds");
    folder.write("pairs.csv", b"review,other,score\na,b,0.5\nc,d,1\ne,f,2.25\ng,h,0\n");
    let pairs = ClassificationOptions { pair: Some("other".into()), ..options("score") };
    let data = read(&folder, "pairs.csv", pairs.clone()).unwrap();
    assert_eq!((data.labels.problem, data.labels.outputs()), (Problem::Score, 1));
    let all = || data.train.iter().chain(&data.dev);
    assert!(all().all(|example| example.second.is_some()) && all().any(|one| one.target == Target::Score(2.25)));
    let settled = Classification { options: pairs }.settled(&data);
    assert_eq!((settled.outputs(), settled.is_pair(), settled.problem()), (Some(1), Some(true), Some(Problem::Score)));

    // The three formats for several labels result in the same examples.
    folder.write("columns.csv", b"review,toxic,rude\na,1,0\nb,0,0\nc,true,1\nd,0,True\n");
    folder.write("cells.csv", b"review,tags\na,toxic\nb,\nc,\"rude; toxic\"\nd,rude\n");
    let list = "{\"review\": \"a\", \"tags\": [\"toxic\"]}\n{\"review\": \"b\", \"tags\": []}\n\
        {\"review\": \"c\", \"tags\": [\"toxic\", \"rude\"]}\n{\"review\": \"d\", \"tags\": [\"rude\"]}\n";
    folder.write("lists.jsonl", list.as_bytes());
    let columns = Names::Several(vec!["rude".into(), "toxic".into()]);
    let columns = ClassificationOptions { label: Some(columns), ..options("") };
    let cells = ClassificationOptions { separator: Some(";".into()), ..options("tags") };
    for (name, options) in [("columns.csv", columns), ("cells.csv", cells), ("lists.jsonl", options("tags"))] {
        let data = read(&folder, name, options).unwrap();
        assert_eq!(data.labels, Labels { problem: Problem::Labels, names: vec!["rude".into(), "toxic".into()] });
        let mut found: Vec<(String, Target)> =
            data.train.iter().chain(&data.dev).map(|one| (one.first.clone(), one.target.clone())).collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let expected = [vec![1], vec![], vec![0, 1], vec![0]].map(Target::Labels);
        assert_eq!(found.into_iter().map(|(_, target)| target).collect::<Vec<_>>(), expected, "{name}");
    }
}

#[test]
fn unsuitable_data_are_rejected() {
    let folder = Scratch::new("own-refused");
    let prices: String = (0..200).map(|at| format!("r{at},{}\n", 3 * at)).collect();
    for (name, text) in [
        ("reviews.csv", reviews()),
        ("constant.csv", "review,label\na,x\nb,x\n".into()),
        ("prices.csv", format!("review,price\n{prices}")),
        ("ids.csv", "review,id\na,k1\nb,k2\nc,k3\n".into()),
        ("one.csv", "review,label\na,x\n".into()),
        ("ragged.csv", "review,label\na,x\nb\nc,y\n".into()),
        ("empty.csv", "review,label\na,x\nb,\nc,y\n".into()),
        ("words.csv", "review,score\na,1.5\nb,many\n".into()),
        ("nothing.csv", "review,a,b\nx,0,0\ny,0,0\n".into()),
        ("other.csv", "review,a,b\nx,0,1\ny,2,0\n".into()),
        ("header.csv", "review,label\n".into()),
        ("twice.csv", "review,label,label\na,x,y\n".into()),
        ("table.xlsx", "PK".into()),
    ] {
        folder.write(name, text.as_bytes());
    }
    let classes = |label: &str| ClassificationOptions { problem_type: Some(Problem::Classes), ..options(label) };
    let score = ClassificationOptions { problem_type: Some(Problem::Score), ..options("score") };
    let flags = ClassificationOptions { label: Some(Names::Several(vec!["a".into(), "b".into()])), ..options("") };
    let labels = ClassificationOptions { problem_type: Some(Problem::Labels), ..options("stars") };
    for (name, options, part) in [
        ("reviews.csv", options("rating"), "no column `rating` (found: id, review, stars)"),
        ("constant.csv", options("label"), "every row has the answer `x` in column `label`"),
        ("prices.csv", options("price"), "column `price` has 200 different numbers, more than 100"),
        ("prices.csv", classes("price"), "set problem_type to regression"),
        ("ids.csv", options("id"), "column `id` has a different value in each of the 3 rows"),
        ("one.csv", options("label"), "1 row; at least two are needed"),
        ("ragged.csv", options("label"), "ragged.csv:3: 2 columns expected, 1 found"),
        ("empty.csv", options("label"), "empty.csv:3: column `label` contains ``, which is not a label"),
        ("words.csv", score, "words.csv:3: column `score` contains `many`, which is not a finite number"),
        ("nothing.csv", flags.clone(), "every row has the answer `no label`"),
        ("other.csv", flags, "other.csv:3: column `a` contains `2`, which is not 0, 1, false or true"),
        ("reviews.csv", labels, "task.separator"),
        ("header.csv", options("label"), "has no rows"),
        ("twice.csv", options("label"), "two columns `label`"),
        ("table.xlsx", options("label"), "the name of a table must end in .csv"),
        ("reviews.csv", ClassificationOptions { label: None, ..options("x") }, "needs `label`"),
        ("reviews.csv", ClassificationOptions { dev_share: Some(1.0), ..options("stars") }, "`dev_share`"),
        (
            "reviews.csv",
            ClassificationOptions { labels: Some(vec!["5".into()]), ..options("stars") },
            "reviews.csv:8: the label `3`",
        ),
        ("", options("label"), "no set train in this folder"),
    ] {
        let message = refused(&folder, name, options);
        assert!(message.contains(part), "{name}: `{part}` in: {message}");
    }
    // A price is a score if the problem type is set to regression.
    let price = ClassificationOptions { problem_type: Some(Problem::Score), ..options("price") };
    assert_eq!(read(&folder, "prices.csv", price).unwrap().labels.problem, Problem::Score);
    let no_data = Classification { options: options("x") }.read(&Files::new(None, HubOptions::default())).unwrap_err();
    assert!(no_data.to_string().contains("--data"), "{no_data}");
}

/// Both forms of a recipe describe the same task.
#[test]
fn recipes_can_name_the_columns() {
    let long =
        "tasks = [\"classification\"]\nseeds = [1]\ntuning = \"head\"\n[task]\ntext = \"review\"\nlabel = \"stars\"\n";
    let short =
        "seeds = [1]\ntuning = \"head\"\ntask = { classification = { text = \"review\", label = \"stars\" } }\n";
    let parse = |text: &str| Recipe::parse(std::path::Path::new("own.toml"), text, &[]);
    let (long, short) = (parse(long).unwrap(), parse(short).unwrap());
    assert_eq!(long, short);
    assert_eq!(long.tasks, [AnyTask::from(Classification { options: options("stars") })]);
    let again = toml::to_string(&long).unwrap();
    assert_eq!(parse(&again).unwrap(), long);
    let run = long.run(&long.tasks[0], &long.tuning, 1);
    assert_eq!(run.task.defaults(Scale::Paper, &long.tuning).epochs, run.training.epochs);
    let wrong = "seeds = [1]\ntuning = \"head\"\ntask = { classification = { txt = \"review\" } }\n";
    let message = parse(wrong).unwrap_err().to_string();
    assert!(message.contains("did you mean `text`?"), "{message}");
}
