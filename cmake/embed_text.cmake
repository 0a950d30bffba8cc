# cmake -DINPUT=FILE -DOUTPUT=FILE.cc -DHEADER=room/file.h -DNAMESPACE=a::b -DFUNCTION=name
#       -P embed_text.cmake
# Writes a source file that defines `std::string_view a::b::name()`, the text of INPUT.
file(READ ${INPUT} text)
string(FIND "${text}" ")tophand_text\"" clash)
if(NOT clash EQUAL -1)
  message(FATAL_ERROR "${INPUT} contains the delimiter of a raw string")
endif()
file(WRITE ${OUTPUT}.new "// Made from the data file by cmake/embed_text.cmake; do not edit.
#include \"${HEADER}\"

std::string_view ${NAMESPACE}::${FUNCTION}() {
  return R\"tophand_text(${text})tophand_text\";
}
")
file(RENAME ${OUTPUT}.new ${OUTPUT})
