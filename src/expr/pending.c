#include "postgres.h"
#include "expr/internal.h"
const WfBuiltin wf_expr_date_methods[] = {{NULL}};
const WfBuiltin wf_expr_datetime_methods[] = {{NULL}};
const WfBuiltin wf_expr_duration_methods[] = {{NULL}};
const WfBuiltin wf_expr_string_helpers[] = {{NULL}};
const WfBuiltin wf_expr_number_helpers[] = {{NULL}};
const WfBuiltin wf_expr_array_helpers[] = {{NULL}};
const WfBuiltin wf_expr_object_helpers[] = {{NULL}};
const WfBuiltin wf_expr_boolean_helpers[] = {{NULL}};
const WfBuiltin wf_expr_date_helpers[] = {{NULL}};
const WfNamespace wf_expr_date_space = {"wf_expr_date_space"};
const WfNamespace wf_expr_datetime_space = {"wf_expr_datetime_space"};
const WfNamespace wf_expr_duration_space = {"wf_expr_duration_space"};
void wf_expr_eval_now(WfEval *ev, const WfExprNode *node, WfValue *out) {}
void wf_expr_eval_today(WfEval *ev, const WfExprNode *node, WfValue *out) {}
void wf_expr_format_locale(WfEval *ev, double value, const WfValue *locale, const WfValue *options, WfValue *out) {}
void wf_expr_date_text(WfEval *ev, const WfValue *date, char form, WfValue *out) {}
void wf_expr_moment_text(WfEval *ev, const WfMoment *moment, WfValue *out) {}
double wf_expr_moment_ms(const WfMoment *moment) { return 0; }
bool wf_expr_moment_member(WfEval *ev, const WfMoment *moment, const char *key, uint32 len, WfValue *out) { return 0; }
bool wf_expr_duration_member(WfEval *ev, const WfDuration *duration, const char *key, uint32 len, WfValue *out) { return 0; }
void wf_expr_duration_text(WfEval *ev, const WfDuration *duration, WfValue *out) {}
