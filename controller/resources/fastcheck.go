package resources

import (
	"math"
	"regexp"
	"slices"
	"unicode/utf8"

	celgo "github.com/google/cel-go/cel"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
	apiservercel "k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/common"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
)

// fastCheck says of an object whether it is surely valid. No doesn't mean that it is invalid: the API server's own
// code decides then. That code builds new validators for each value of an object and meters each step of a CEL rule;
// at 10,000 rules it would take more than all the rest of the program. The rules are the CRD's own text, compiled by
// the API server's environment without the meter. What a schema can say and this type doesn't know makes it say no.
type fastCheck struct {
	unsure     bool // the schema has something that is left to the API server's code
	kind       string
	nullable   bool
	required   []string
	properties map[string]*fastCheck
	values     *fastCheck // of a map
	items      *fastCheck
	enum       []string
	pattern    *regexp.Regexp
	format     string // of a text
	// min and max bound a number, a text's characters, a list's items or a map's keys.
	min, max float64
	rules    []celgo.Program
	self     common.Schema
}

// fastBuilder collects the CEL rules while a check is built, to compile them in parallel.
type fastBuilder struct {
	rules []ruleSet
}

// ruleSet is the rules of one place in the schema.
type ruleSet struct {
	check  *fastCheck
	schema *structuralschema.Structural
	self   *apiservercel.DeclType
}

func newFastCheck(root *structuralschema.Structural) *fastCheck {
	b := &fastBuilder{}
	check := b.build(root, model.SchemaDeclType(root, true))
	if len(root.XValidations) > 0 {
		// A rule on the root also sees apiVersion, kind and metadata, whose schemas the CRD doesn't spell out.
		check.self = &fixedSchema{Schema: (&model.Structural{Structural: root}).WithTypeAndObjectMeta()}
	}
	base := environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion())
	parallel(len(b.rules), func(i int) {
		set := b.rules[i]
		rules, err := compileRules(base, set)
		set.check.rules, set.check.unsure = rules, set.check.unsure || err != nil
	})
	return check
}

func (b *fastBuilder) build(s *structuralschema.Structural, decl *apiservercel.DeclType) *fastCheck {
	c := &fastCheck{kind: s.Type, nullable: s.Nullable, min: math.Inf(-1), max: math.Inf(1)}
	c.unsure = s.XPreserveUnknownFields || s.XEmbeddedResource || s.XIntOrString
	if v := s.ValueValidation; v != nil {
		c.limits(v)
	}
	var element *apiservercel.DeclType
	if decl != nil {
		element = decl.ElemType
	}
	if s.Items != nil {
		c.items = b.build(s.Items, element)
	}
	if a := s.AdditionalProperties; a != nil {
		if a.Structural == nil {
			c.unsure = true
		} else {
			c.values = b.build(a.Structural, element)
		}
	}
	if len(s.Properties) > 0 {
		c.properties = make(map[string]*fastCheck, len(s.Properties))
	}
	for name := range s.Properties {
		property := s.Properties[name]
		var declared *apiservercel.DeclType
		if escaped, ok := apiservercel.Escape(name); ok && decl != nil && decl.Fields[escaped] != nil {
			declared = decl.Fields[escaped].Type
		}
		c.properties[name] = b.build(&property, declared)
	}
	if len(s.XValidations) > 0 {
		c.self = &fixedSchema{Schema: &model.Structural{Structural: s}}
		b.rules = append(b.rules, ruleSet{check: c, schema: s, self: decl})
	}
	return c
}

// limits takes over what can be said of one value.
func (c *fastCheck) limits(v *structuralschema.ValueValidation) {
	c.unsure = c.unsure || v.ExclusiveMinimum || v.ExclusiveMaximum || v.MultipleOf != nil || v.UniqueItems ||
		len(v.AllOf)+len(v.AnyOf)+len(v.OneOf) > 0 || v.Not != nil
	c.required = v.Required
	switch v.Format {
	case "", "int64":
	case "int32":
		c.min, c.max = math.MinInt32, math.MaxInt32
	case "date-time", "ipv4", "ipv6":
		c.format = v.Format
	default:
		c.unsure = true
	}
	if v.Pattern != "" {
		pattern, err := regexp.Compile(v.Pattern)
		c.pattern, c.unsure = pattern, c.unsure || err != nil
	}
	for _, e := range v.Enum {
		text, ok := e.Object.(string)
		c.enum, c.unsure = append(c.enum, text), c.unsure || !ok
	}
	// Of these only the pair that belongs to the schema's type is set in a CRD that makes sense; another one would
	// only make this check stricter.
	for _, low := range []*int64{v.MinLength, v.MinItems, v.MinProperties} {
		if low != nil {
			c.min = max(c.min, float64(*low))
		}
	}
	for _, high := range []*int64{v.MaxLength, v.MaxItems, v.MaxProperties} {
		if high != nil {
			c.max = min(c.max, float64(*high))
		}
	}
	if v.Minimum != nil {
		c.min = max(c.min, *v.Minimum)
	}
	if v.Maximum != nil {
		c.max = min(c.max, *v.Maximum)
	}
}

// compileRules makes programs of a place's CEL rules. Rules about changes (oldSelf) don't compile here, and leave the
// object to the API server's code.
func compileRules(base *environment.EnvSet, set ruleSet) ([]celgo.Program, error) {
	if set.self == nil {
		return nil, errNoType
	}
	self := set.self.MaybeAssignTypeName("selfOfRule")
	extended, err := base.Extend(environment.VersionedOptions{
		IntroducedVersion: environment.DefaultCompatibilityVersion(),
		EnvOptions:        []celgo.EnvOption{celgo.Variable("self", self.CelType())},
		DeclTypes:         []*apiservercel.DeclType{self},
	})
	if err != nil {
		return nil, err
	}
	env := extended.StoredExpressionsEnv()
	var programs []celgo.Program
	for _, rule := range set.schema.XValidations {
		ast, issues := env.Compile(rule.Rule)
		if issues.Err() != nil {
			return nil, issues.Err()
		}
		program, err := env.Program(ast, celgo.EvalOptions(celgo.OptOptimize))
		if err != nil {
			return nil, err
		}
		programs = append(programs, program)
	}
	return programs, nil
}

// valid says whether a value is surely valid.
func (c *fastCheck) valid(value any) bool {
	if c.unsure {
		return false
	}
	if value == nil {
		return c.nullable
	}
	ok := false
	switch v := value.(type) {
	case map[string]any:
		ok = c.kind == "object" && c.validMap(v)
	case []any:
		ok = c.kind == "array" && c.validList(v)
	case string:
		ok = c.kind == "string" && c.validText(v)
	case bool:
		ok = c.kind == "boolean" && len(c.enum) == 0
	case int64:
		ok = c.kind == "integer" && len(c.enum) == 0 && c.within(float64(v))
	}
	return ok && (len(c.rules) == 0 || c.keepsRules(value))
}

func (c *fastCheck) within(n float64) bool { return c.min <= n && n <= c.max }

func (c *fastCheck) validText(v string) bool {
	return c.within(float64(utf8.RuneCountInString(v))) &&
		(c.pattern == nil || c.pattern.MatchString(v)) &&
		(c.format == "" || strfmt.Default.Validates(c.format, v)) &&
		(c.enum == nil || slices.Contains(c.enum, v))
}

func (c *fastCheck) validList(v []any) bool {
	if len(c.enum) > 0 || c.items == nil || !c.within(float64(len(v))) {
		return false
	}
	for _, item := range v {
		if !c.items.valid(item) {
			return false
		}
	}
	return true
}

func (c *fastCheck) validMap(v map[string]any) bool {
	if len(c.enum) > 0 || !c.within(float64(len(v))) {
		return false
	}
	for _, name := range c.required {
		if _, there := v[name]; !there {
			return false
		}
	}
	// An object without properties is metadata, which is checked apart.
	if c.properties == nil && c.values == nil {
		return true
	}
	for key, value := range v {
		property := c.properties[key]
		if property == nil {
			property = c.values
		}
		if property == nil || !property.valid(value) {
			return false
		}
	}
	return true
}

func (c *fastCheck) keepsRules(value any) bool {
	input := selfOnly{self: common.UnstructuredToVal(value, c.self)}
	for _, program := range c.rules {
		result, _, err := program.Eval(input)
		if err != nil {
			return false
		}
		if kept, ok := result.Value().(bool); !ok || !kept {
			return false
		}
	}
	return true
}
