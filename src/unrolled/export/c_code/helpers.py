"""The small functions of the exported C: each is written only where it is called."""

from __future__ import annotations

__all__ = ["HELPERS"]

_DOT = """\
/* The sum of w[k] * x[k]: four sums side by side, which is faster, and rounds less. */
static {sum} {name}(const {weight} *w, const float *x, size_t n)
{{
    {sum} a = 0, b = 0, c = 0, d = 0;
    size_t left;
    for (left = n / 4; left > 0; left--, w += 4, x += 4) {{
        a += {cast}w[0] * x[0];
        b += {cast}w[1] * x[1];
        c += {cast}w[2] * x[2];
        d += {cast}w[3] * x[3];
    }}
    for (left = n % 4; left > 0; left--)
        a += {cast}*w++ * *x++;
    return (a + b) + (c + d);
}}
"""


def _dot(name: str, weight: str, total: str) -> str:
    cast = "(double)" if total == "double" else "(float)" if weight != "float" else ""
    return _DOT.format(name=name, weight=weight, sum=total, cast=cast)


HELPERS = {
    "dot": _dot("dot", "float", "float"),
    "dot8": _dot("dot8", "signed char", "float"),
    "dot_exact": _dot("dot_exact", "float", "double"),
    "dot8_exact": _dot("dot8_exact", "signed char", "double"),
    "sigmoid": """\
/* Never 0, so that a ratio of two of them is a number. */
static float sigmoid(float v)
{
    return 1.0f / (1.0f + expf(v < -80.0f ? 80.0f : -v));
}
""",
    "relu": """\
static float relu(float v)
{
    return v > 0.0f ? v : 0.0f;
}
""",
    "larger": """\
static float larger(float a, float b)
{
    return a > b ? a : b;
}
""",
    "standard": """\
/* (value - mean) / std; 0, the mean, for what is not finite. One float is too few for the mean: it has a rest. */
static float standard(float value, float mean, float rest, float std)
{
    const float z = ((value - mean) - rest) / std;
    return z >= -FLT_MAX && z <= FLT_MAX ? z : 0.0f;
}
""",
    "missing": """\
static int missing(float value)
{
    return !(value >= -FLT_MAX && value <= FLT_MAX);
}
""",
    "push": """\
/* Forget the oldest numbers, and append new ones. */
static void push(float *kept, size_t size, const float *added, size_t width)
{
    size_t k;
    for (k = 0; k + width < size; k++)
        kept[k] = kept[k + width];
    for (k = 0; k < width; k++)
        kept[size - width + k] = added[k];
}
""",
    "normalise": """\
/* Mean 0 and deviation 1. */
static void normalise(double *v, size_t n, double epsilon)
{
    double mean = 0.0, variance = 0.0;
    size_t k;
    for (k = 0; k < n; k++)
        mean += v[k];
    mean /= (double)n;
    for (k = 0; k < n; k++)
        variance += (v[k] - mean) * (v[k] - mean);
    variance = 1.0 / sqrt(variance / (double)n + epsilon);
    for (k = 0; k < n; k++)
        v[k] = (v[k] - mean) * variance;
}
""",
    "softmax": """\
static void softmax(float *v, size_t n)
{
    float largest = v[0], sum = 0.0f;
    size_t k;
    for (k = 1; k < n; k++)
        largest = v[k] > largest ? v[k] : largest;
    for (k = 0; k < n; k++) {
        v[k] = expf(v[k] - largest);
        sum += v[k];
    }
    for (k = 0; k < n; k++)
        v[k] /= sum;
}
""",
    "sort": """\
/* The smallest first. */
static void sort(float *v, size_t n)
{
    size_t k, j;
    for (k = 1; k < n; k++) {
        const float value = v[k];
        for (j = k; j > 0 && v[j - 1] > value; j--)
            v[j] = v[j - 1];
        v[j] = value;
    }
}
""",
    "known": """\
/* A symbol that the model does not know is the first one. */
static size_t known(int symbol, int size)
{
    return symbol >= 0 && symbol < size ? (size_t)symbol : 0;
}
""",
}
