"""The steps of `cells`, fused over time in C++: their build, their choice by processor, and their torch side."""
