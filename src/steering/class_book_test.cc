#include "steering/class_book.h"

#include <gtest/gtest.h>

namespace tophand::steering {
namespace {

policy::Facts facts_of(std::string_view text, std::string_view key_id) {
  policy::Facts facts;
  facts.key_id = key_id;
  facts.content = {.user = {text}, .messages = 1};
  return facts;
}

std::string odd_request(int number) {
  return "zorble the frumious ledger-leaf no. " + std::to_string(number) + " per glimwick order";
}

void teach(ClassBook& book) {
  for (int day = 0; day < 4; ++day)
    for (int i = 0; i < 10; ++i)
      book.declared(facts_of(odd_request(10 * day + i), "key-1"), "doc_update", day);
}

TEST(ClassBook, KnowsAWordingThatAnotherKeyDeclared) {
  const std::string fresh = odd_request(999);
  ClassBook book("", {});
  EXPECT_EQ(book.infer(facts_of(fresh, "key-2")).task_class, "");
  teach(book);
  EXPECT_EQ(book.infer(facts_of(fresh, "key-2")).task_class, "doc_update");
}

TEST(ClassBook, KeepsWhatItLearnedAndStartsAnewFromBytesThatAreDamaged) {
  const std::string fresh = odd_request(999);
  std::string kept;
  {
    ClassBook book("", [&](const std::string& bytes) { kept = bytes; });
    teach(book);
  }
  EXPECT_EQ(ClassBook(kept, {}).infer(facts_of(fresh, "")).task_class, "doc_update");
  EXPECT_EQ(kept.find("zorble"), std::string::npos);
  kept[100] ^= 1;
  EXPECT_EQ(ClassBook(kept, {}).infer(facts_of(fresh, "")).task_class, "");
}

TEST(ClassBook, TakesHabitsFromDeclaredRowsOnly) {
  ClassBook book("", {});
  ledger::Row row;
  row.attempt = 1;
  row.key_id = "key-1";
  row.task_class = "review";
  row.class_source = "inferred";
  const policy::Facts facts = facts_of("have a look please", "key-1");
  const double before = book.infer(facts).confidence;
  book.load(std::vector<ledger::Row>(50, row));
  EXPECT_EQ(book.infer(facts).confidence, before);
  row.class_source = "declared";
  book.load(std::vector<ledger::Row>(50, row));
  EXPECT_NE(book.infer(facts).confidence, before);
}

}  // namespace
}  // namespace tophand::steering
