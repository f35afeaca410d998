//! The evaluation of a trained model on MMLU.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use asym_data::Tokenizer;
use asym_models::LlamaLanguageModel;
use asym_train::{EvalRoom, Evaluation, Scores, TrainError};

use crate::base::Base;
use crate::error::TaskError;
use crate::language::LanguageEvaluation;
use crate::mmlu::{self, Asked, Group, Grouping, MmluError, Prompts, Protocol, Split};

/// The value of the setting `mmlu` for questions about the invented world.
pub(super) const INVENTED: &str = "invented";

/// The paper's score: the share of questions whose generated answer is the correct letter.
pub(super) const GENERATED: &str = "mmlu all";
/// The share of questions for which the correct letter is the most likely of the four letters.
pub(super) const CHOICE: &str = "mmlu choice";
/// The share of generated answers that are a letter.
pub(super) const LETTERS: &str = "mmlu letters";

/// The questions for a value of the setting `mmlu`: questions about the invented world, or the validation questions in a folder.
///
/// # Errors
///
/// The errors of [`Asked::read`].
pub(super) fn asked(setting: &str) -> Result<Asked, MmluError> {
    let protocols = vec![Protocol::Generated, Protocol::Choice];
    if setting == INVENTED {
        return Ok(Asked::invented(protocols));
    }
    Asked::read(Path::new(setting), Split::Validation, mmlu::subjects(&[])?, (protocols, vec![0]))
}

/// The questions, with their encoded prompts.
pub(super) struct Quiz {
    asked: Asked,
    prompts: Vec<Prompts>,
    tokenizer: Tokenizer,
}

impl Quiz {
    /// Encode the prompts for the model of `base`.
    ///
    /// # Errors
    ///
    /// The errors of [`mmlu::prompts`].
    pub(super) fn new(asked: Asked, base: &Base) -> Result<Self, TaskError> {
        let tokenizer = base.language_tokenizer()?.clone();
        let prompts = mmlu::prompts(&asked, &tokenizer, base.limits()?.positions).map_err(TaskError::task)?;
        Ok(Self { asked, prompts, tokenizer })
    }

    /// A description of the questions, in one line.
    pub(super) fn describe(&self) -> String {
        let (questions, subjects) = (self.asked.questions(), self.asked.subjects.len());
        format!("MMLU: {questions} questions of {subjects} subjects, evaluated after the last epoch")
    }

    /// The scores of `model`; `None` if a stop was requested.
    fn scores(&self, model: &LlamaLanguageModel, room: &mut EvalRoom<'_>) -> Result<Option<Scores>, TrainError> {
        if let Some(folder) = room.folder() {
            std::fs::create_dir_all(folder).map_err(|source| TrainError::Io { path: folder.to_owned(), source })?;
        }
        let mut found = Scores::new();
        for prompts in &self.prompts {
            let place = (room.folder(), room.batch_size());
            let asked = (&self.asked, prompts);
            let answered = mmlu::ask(model, &self.tokenizer, asked, place, &mut |_| !room.should_stop());
            let Some(scores) = answered.map_err(TrainError::evaluation)? else { return Ok(None) };
            room.passed(self.asked.questions(), Duration::ZERO);
            let micro = scores.micro().map(|micro| micro.accuracy);
            if prompts.protocol == Protocol::Choice {
                found.extend(micro.map(|accuracy| (CHOICE.to_owned(), accuracy)));
                continue;
            }
            found.extend(micro.map(|accuracy| (GENERATED.to_owned(), accuracy)));
            found.insert(LETTERS.to_owned(), scores.letters());
            found.extend(Group::ALL.into_iter().filter_map(|group| {
                Some((format!("mmlu {}", group.name()), scores.of_group(group, Grouping::Original)?.accuracy))
            }));
        }
        Ok(Some(found))
    }
}

/// The loss after each epoch, and MMLU after the last epoch, if it is set.
///
/// In a run folder, the answers are saved in files, so a killed evaluation can be continued.
#[derive(Clone)]
pub struct InstructionEvaluation {
    /// The loss.
    pub language: LanguageEvaluation,
    quiz: Option<Arc<Quiz>>,
}

impl InstructionEvaluation {
    pub(super) fn new(language: LanguageEvaluation, quiz: Option<Quiz>) -> Self {
        Self { language, quiz: quiz.map(Arc::new) }
    }
}

impl fmt::Debug for InstructionEvaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InstructionEvaluation").field("language", &self.language).finish_non_exhaustive()
    }
}

impl Evaluation<LlamaLanguageModel> for InstructionEvaluation {
    fn run(&self, model: &LlamaLanguageModel, room: &mut EvalRoom<'_>) -> Result<Option<Scores>, TrainError> {
        let Some(mut scores) = self.language.run(model, room)? else { return Ok(None) };
        if let Some(quiz) = self.quiz.as_ref().filter(|_| room.is_last()) {
            let Some(found) = quiz.scores(model, room)? else { return Ok(None) };
            scores.extend(found);
        }
        Ok(Some(scores))
    }
}
