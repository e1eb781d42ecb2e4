/*
 * parser.h: what the lexer and the files of the parser share: tokens, the lexer, the parser's state.
 */
#ifndef WF_EXPR_PARSER_H
#define WF_EXPR_PARSER_H

#include "expr/internal.h"

/* -- lexer (lex.c) -- */

typedef enum WfTokenKind
{
	WF_T_END,
	WF_T_NUMBER,
	WF_T_BIGINT,				/* text: its digits; number: their radix */
	WF_T_STRING,
	WF_T_NAME,
	WF_T_PUNCT,
	WF_T_REGEX,
	WF_T_TEMPLATE,				/* a piece of text of a template literal; `tail`: ended by a backquote */
	WF_T_BAD,
} WfTokenKind;

/* punctuators, packed from their characters: P2('=', '>') */
#define P1(a)			((uint32) (a))
#define P2(a, b)		(P1(a) | (uint32) (b) << 8)
#define P3(a, b, c)		(P2(a, b) | (uint32) (c) << 16)
#define P4(a, b, c, d)	(P3(a, b, c) | (uint32) (d) << 24)

typedef struct WfToken
{
	WfTokenKind kind;
	int			pos;			/* bytes */
	int			end;
	uint32		punct;
	double		number;
	const char *text;			/* name, string value, template text, pattern */
	uint32		len;
	const char *flags;			/* of a regular expression */
	int			match;			/* of an opening bracket: token that closes it; 0: not known, -1: none */
	bool		tail;
	bool		escaped;		/* a name written with \u: no keyword */
	bool		line_before;	/* a line break stands before it */
	const char *problem;		/* of a template's text: an escape that only a tag may see, at problem_pos */
	int			problem_pos;
} WfToken;

typedef struct WfLexer
{
	const char *source;
	int			len;
	int			at;
	WfToken    *tokens;
	int			n;
	int			capacity;
	int		   *braces;			/* open braces: 1 when it is `${` of a template literal */
	int			n_braces;
	int			braces_capacity;
	const char *message;		/* why the last token is BAD */
} WfLexer;

extern void wf_expr_lex_begin(WfLexer *lexer, const char *source, int len, int start);
extern const WfToken *wf_expr_lex_at(WfLexer *lexer, int index);
extern void wf_expr_lex_match(WfLexer *lexer, int index);

/* -- parser -- */

typedef struct WfFunctionScope
{
	struct WfFunctionScope *parent;
	const char **names;
	uint32	   *lens;
	int			n;
	int			capacity;
	bool		captured;
} WfFunctionScope;

typedef struct WfParser
{
	WfLexer		lexer;
	int			at;				/* index of the next token */
	const WfNames *names;
	WfFunctionScope *scope;
	int			depth;
	int			pattern_depth;
	int			start;			/* byte at which the expression begins */
	int			n_nodes;
	int			nodes_capacity;
	int		   *nodes;
	List	   *secrets;		/* char *: names of secrets */
	uint32		roots;			/* bits: names that it begins paths with, as WfRoot */
	bool		any_node;		/* it is code that may read any node */
	bool		failed;
	int			fail_pos;		/* bytes in the lexer's source */
	int			fail_code;
	bool		fail_is_final;	/* for a name that full JavaScript has not either */
	const char *message;
	const char *hint;
} WfParser;

extern WfExpr *wf_expr_parse_at(const char *whole, int whole_len, int start, bool in_braces,
								const WfNames *names, int *end, WfExprProblem *problem);
extern void *wf_expr_fail(WfParser *p, int pos, const char *hint, const char *fmt, ...) pg_attribute_printf(4, 5);
extern void *wf_expr_fail_finally(WfParser *p);
extern const char *const wf_expr_statement_hint;
extern bool wf_expr_is_assignment(const WfToken *t);
extern void *wf_expr_unexpected(WfParser *p);
extern bool wf_expr_parse_arguments(WfParser *p, WfCallNode *call);
extern bool wf_expr_is_root_name(const char *name, uint32 len);
extern bool wf_expr_at_template(WfParser *p);
extern bool wf_expr_parse_tagged(WfParser *p, WfCallNode *call);
extern const WfExprNode *wf_expr_parse_list(WfParser *p);
extern const WfExprNode *wf_expr_parse_single(WfParser *p);
extern const WfExprNode *wf_expr_parse_postfix(WfParser *p);
extern const WfExprNode *wf_expr_parse_primary(WfParser *p);
extern const WfExprNode *wf_expr_parse_arrow(WfParser *p);
extern bool wf_expr_at_arrow(WfParser *p);
extern const WfExprNode *wf_expr_parse_name(WfParser *p);
extern const WfExprNode *wf_expr_path_member(WfParser *p, const WfExprNode *base, const char *key, uint32 len,
											 int pos, bool optional);
extern void *wf_expr_node(WfParser *p, Size size, WfNodeKind kind, int pos, WfNodeEval eval, const WfExprNode *a,
						  const WfExprNode *b, const WfExprNode *c);
extern bool wf_expr_deepen(WfParser *p, WfExprNode *node, const WfExprNode *below);
extern const WfExprNode *wf_expr_const(WfParser *p, int pos, const WfValue *value);
extern const WfExprNode *wf_expr_fold(WfParser *p, const WfExprNode *node);
extern const char *wf_expr_keyword_hint(const WfToken *token, const char **what);

static inline const WfToken *
peek(WfParser *p)
{
	return wf_expr_lex_at(&p->lexer, p->at);
}

static inline bool
at_punct(WfParser *p, uint32 punct)
{
	const WfToken *t = peek(p);

	return t->kind == WF_T_PUNCT && t->punct == punct;
}

static inline bool
accept(WfParser *p, uint32 punct)
{
	if (!at_punct(p, punct))
		return false;
	p->at++;
	return true;
}

#endif
