#include "postgres.h"
#include "expr/internal.h"
const WfBuiltin wf_expr_string_methods[] = {{NULL}};
const WfBuiltin wf_expr_string_regex_methods[] = {{NULL}};
const WfBuiltin wf_expr_number_methods[] = {{NULL}};
const WfBuiltin wf_expr_array_methods[] = {{NULL}};
const WfBuiltin wf_expr_array_edit_methods[] = {{NULL}};
const WfBuiltin wf_expr_object_methods[] = {{NULL}};
const WfBuiltin wf_expr_date_methods[] = {{NULL}};
const WfBuiltin wf_expr_datetime_methods[] = {{NULL}};
const WfBuiltin wf_expr_duration_methods[] = {{NULL}};
const WfBuiltin wf_expr_regexp_methods[] = {{NULL}};
const WfBuiltin wf_expr_set_methods[] = {{NULL}};
const WfBuiltin wf_expr_map_methods[] = {{NULL}};
const WfBuiltin wf_expr_function_methods[] = {{NULL}};
const WfBuiltin wf_expr_string_helpers[] = {{NULL}};
const WfBuiltin wf_expr_number_helpers[] = {{NULL}};
const WfBuiltin wf_expr_array_helpers[] = {{NULL}};
const WfBuiltin wf_expr_object_helpers[] = {{NULL}};
const WfBuiltin wf_expr_boolean_helpers[] = {{NULL}};
const WfBuiltin wf_expr_date_helpers[] = {{NULL}};
const WfBuiltin wf_expr_global_functions[] = {{NULL}};
const WfNamespace wf_expr_math = {"wf_expr_math"};
const WfNamespace wf_expr_json = {"wf_expr_json"};
const WfNamespace wf_expr_object_space = {"wf_expr_object_space"};
const WfNamespace wf_expr_array_space = {"wf_expr_array_space"};
const WfNamespace wf_expr_string_space = {"wf_expr_string_space"};
const WfNamespace wf_expr_number_space = {"wf_expr_number_space"};
const WfNamespace wf_expr_boolean_space = {"wf_expr_boolean_space"};
const WfNamespace wf_expr_date_space = {"wf_expr_date_space"};
const WfNamespace wf_expr_datetime_space = {"wf_expr_datetime_space"};
const WfNamespace wf_expr_duration_space = {"wf_expr_duration_space"};
const WfNamespace wf_expr_regexp_space = {"wf_expr_regexp_space"};
const WfNamespace wf_expr_set_space = {"wf_expr_set_space"};
const WfNamespace wf_expr_map_space = {"wf_expr_map_space"};
const char * wf_expr_sort_flags(const char *flags) { return 0; }
void wf_expr_eval_now(WfEval *ev, const WfExprNode *node, WfValue *out) {}
void wf_expr_eval_today(WfEval *ev, const WfExprNode *node, WfValue *out) {}
void wf_expr_format_locale(WfEval *ev, double value, const WfValue *locale, const WfValue *options, WfValue *out) {}
bool wf_expr_stringify(WfEval *ev, const WfValue *value, WfValue *out) { return 0; }
void wf_expr_parse_json(WfEval *ev, const WfValue *text, WfValue *out) {}
void wf_expr_date_text(WfEval *ev, const WfValue *date, char form, WfValue *out) {}
void wf_expr_moment_text(WfEval *ev, const WfMoment *moment, WfValue *out) {}
double wf_expr_moment_ms(const WfMoment *moment) { return 0; }
bool wf_expr_moment_member(WfEval *ev, const WfMoment *moment, const char *key, uint32 len, WfValue *out) { return 0; }
bool wf_expr_duration_member(WfEval *ev, const WfDuration *duration, const char *key, uint32 len, WfValue *out) { return 0; }
void wf_expr_duration_text(WfEval *ev, const WfDuration *duration, WfValue *out) {}
