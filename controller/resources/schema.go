package resources

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"sort"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

	owncrds "github.com/gatewright/gatewright/deploy/crds"
)

// crds are the CustomResourceDefinitions of the Gateway API's experimental channel, which allows all that the standard
// one does. A test holds them equal to the module's.
//
//go:embed crds/*.yaml
var crds embed.FS

// schema checks the objects of one kind as the API server does.
type schema struct {
	structural *structuralschema.Structural
	// fast says yes to most valid objects, at a tenth of the cost of what follows.
	fast *fastCheck
	// full says what is wrong; it is built when fast first didn't say yes.
	full func() (*fullCheck, error)
}

// fullCheck is the API server's own code.
type fullCheck struct {
	values validation.SchemaValidator
	rules  *cel.Validator
}

// newSchema reads the schema of a kind's version from its CRD. The CRDs' older versions have the same schema, which a test
// holds, and the API server converts between them by changing the apiVersion.
func newSchema(k *kind) (*schema, error) {
	file, files := k.group+"_"+k.resource+".yaml", fs.FS(owncrds.FS)
	if k.group == gatewayGroup {
		file, files = "crds/"+file, crds
	}
	text, err := fs.ReadFile(files, file)
	if err != nil {
		return nil, err
	}
	props, err := crdSchema(text, k.version)
	if err != nil {
		return nil, err
	}
	structural, err := structuralschema.NewStructural(props)
	if err != nil {
		return nil, err
	}
	return &schema{
		structural: structural,
		fast:       newFastCheck(structural),
		full: sync.OnceValues(func() (*fullCheck, error) {
			values, _, err := validation.NewSchemaValidator(props)
			if err != nil {
				return nil, err
			}
			return &fullCheck{values: values, rules: cel.NewValidator(structural, true, celconfig.PerCallLimit)}, nil
		}),
	}, nil
}

// crdSchema is the schema of one version of a CRD.
func crdSchema(text []byte, version string) (*apiextensions.JSONSchemaProps, error) {
	var crd struct {
		Spec struct {
			Versions []struct {
				Name   string    `yaml:"name"`
				Schema yaml.Node `yaml:"schema"`
			} `yaml:"versions"`
		} `yaml:"spec"`
	}
	if err := yaml.Unmarshal(text, &crd); err != nil {
		return nil, err
	}
	for _, v := range crd.Spec.Versions {
		if v.Name != version {
			continue
		}
		var content map[string]any
		if err := v.Schema.Decode(&content); err != nil {
			return nil, err
		}
		data, err := json.Marshal(content["openAPIV3Schema"])
		if err != nil {
			return nil, err
		}
		var external apiextensionsv1.JSONSchemaProps
		if err := json.Unmarshal(data, &external); err != nil {
			return nil, err
		}
		var internal apiextensions.JSONSchemaProps
		err = apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(&external, &internal, nil)
		return &internal, err
	}
	return nil, fmt.Errorf("the CRD has no version %s", version)
}

// setDefaults sets the CRD's defaults.
func (s *schema) setDefaults(object map[string]any) {
	defaulting.Default(object, s.structural)
	defaulting.PruneNonNullableNullsWithoutDefaults(object, s.structural)
}

// unknownFields removes the fields that the schema doesn't have, and names them in order. Those of metadata are
// decodeMetadata's.
func (s *schema) unknownFields(object map[string]any) []string {
	unknown := pruning.PruneWithOptions(object, s.structural, true,
		structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	sort.Strings(unknown)
	return unknown
}

// validate checks values and CEL rules, in the API server's order: the rules are left out when a value is of the wrong
// type or size, for they could fail on it with a message that leads astray.
func (s *schema) validate(object map[string]any) (field.ErrorList, error) {
	if s.fast.valid(object) && len(listtype.ValidateListSetsAndMaps(nil, s.structural, object)) == 0 {
		return nil, nil
	}
	return s.validateFully(object)
}

// validateFully is validate without the fast check.
func (s *schema) validateFully(object map[string]any) (field.ErrorList, error) {
	full, err := s.full()
	if err != nil {
		return nil, err
	}
	errs := append(validation.ValidateCustomResource(nil, object, full.values),
		listtype.ValidateListSetsAndMaps(nil, s.structural, object)...)
	if full.rules != nil && !blocking(errs) {
		broken, _ := full.rules.Validate(context.Background(), nil, s.structural, object, nil, celconfig.RuntimeCELCostBudget)
		errs = append(errs, broken...)
	}
	sort.SliceStable(errs, func(i, j int) bool { return errs[i].Field < errs[j].Field })
	return errs, nil
}

// blocking says whether an error is of a type after which the API server doesn't run CEL rules.
func blocking(errs field.ErrorList) bool {
	for _, err := range errs {
		switch err.Type {
		case field.ErrorTypeNotSupported, field.ErrorTypeRequired, field.ErrorTypeTooLong, field.ErrorTypeTooMany,
			field.ErrorTypeTypeInvalid:
			return true
		}
	}
	return false
}

// explainError words one of the API server's errors for a person: what is wrong, and what to do where that isn't
// plain.
func explainError(err *field.Error) string {
	switch err.Type {
	case field.ErrorTypeRequired:
		if err.Detail != "" {
			return "missing: " + err.Detail
		}
		return "missing: set it"
	case field.ErrorTypeDuplicate:
		return fmt.Sprintf("%s occurs twice: remove one of them", shorten(err.BadValue))
	case field.ErrorTypeNotSupported:
		return fmt.Sprintf("%s is not supported: %s", shorten(err.BadValue), err.Detail)
	case field.ErrorTypeTooLong, field.ErrorTypeTooMany:
		return "too long: " + err.Detail
	case field.ErrorTypeTypeInvalid:
		return strings.TrimPrefix(err.Detail, err.Field+" in body ")
	case field.ErrorTypeInvalid:
		detail := strings.TrimPrefix(err.Detail, err.Field+" in body ")
		switch err.BadValue.(type) {
		case string, int, int32, int64, float64, bool:
			// A CEL rule that fails on a value has the schema's type for a value.
			if err.BadValue != "" && !strings.Contains(detail, "evaluating rule") {
				return shorten(err.BadValue) + ": " + detail
			}
		}
		return detail
	default:
		return err.ErrorBody()
	}
}

// shorten quotes a value, and cuts one that would fill the screen.
func shorten(value any) string {
	const most = 80
	text := fmt.Sprint(value)
	if s, ok := value.(string); ok {
		text = fmt.Sprintf("%q", s)
	}
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
