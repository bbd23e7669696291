package resources

import (
	"errors"
	"sync"

	celgo "github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types/ref"
	"k8s.io/apiserver/pkg/cel/common"
)

var errNoType = errors.New("the schema has no CEL type")

// selfOnly are the variables of a CEL rule: self.
type selfOnly struct {
	self ref.Val
}

// ResolveName gives self its value.
func (s selfOnly) ResolveName(name string) (any, bool) {
	return s.self, name == "self"
}

// Parent is none.
func (s selfOnly) Parent() celgo.Activation { return nil }

// fixedSchema is a schema that keeps its parts. The API server's makes new ones each time that a CEL rule looks at a
// field.
type fixedSchema struct {
	common.Schema
	once       sync.Once
	properties map[string]common.Schema
	items      common.Schema
	values     common.SchemaOrBool
}

// fixedValues is the schema of a map's values.
type fixedValues struct {
	common.SchemaOrBool
	schema common.Schema
}

// Schema is the same one at each call.
func (v fixedValues) Schema() common.Schema { return v.schema }

func fixed(s common.Schema) common.Schema {
	if s == nil {
		return nil
	}
	return &fixedSchema{Schema: s}
}

func (s *fixedSchema) fix() {
	s.once.Do(func() {
		s.items = fixed(s.Schema.Items())
		if values := s.Schema.AdditionalProperties(); values != nil {
			s.values = fixedValues{SchemaOrBool: values, schema: fixed(values.Schema())}
		}
		if properties := s.Schema.Properties(); properties != nil {
			s.properties = make(map[string]common.Schema, len(properties))
			for name, p := range properties {
				s.properties[name] = fixed(p)
			}
		}
	})
}

// Properties are the same ones at each call.
func (s *fixedSchema) Properties() map[string]common.Schema {
	s.fix()
	return s.properties
}

// Items is the same one at each call.
func (s *fixedSchema) Items() common.Schema {
	s.fix()
	return s.items
}

// AdditionalProperties is the same one at each call.
func (s *fixedSchema) AdditionalProperties() common.SchemaOrBool {
	s.fix()
	return s.values
}
